import { setTimeout as sleep } from 'node:timers/promises';
import { collectArrivals } from './pause.ts';
import { Peer } from './peer.ts';
import { cpuSeconds, residentBytes } from './process-stats.ts';
import { Publisher } from './publisher.ts';
import { filterOf, type Scenario, sourcesOf } from './scenarios.ts';

/** Milliseconds without any arrival after which what is under way is taken for lost. */
const STALL = 2000;
const LOOK = 50;

export interface Timing {
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

export interface Load {
  /** Messages that arrived at subscribers, a second. */
  readonly rate: number;
  /** Counted over the whole run: warm-up, measured time and the rest after it. */
  readonly delivered: number;
  readonly lost: number;
  readonly repeated: number;
  readonly corrupt: number;
  /** Published, but never acknowledged (QoS 1). */
  readonly unacknowledged: number;
  /** Of the broker's process, for a million deliveries. */
  readonly brokerCpuPerMillion: number;
  /** Cores. */
  readonly brokerCpu: number;
  readonly generatorCpu: number;
  readonly residentBytes: number;
}

interface Crew {
  readonly publishers: readonly Publisher[];
  readonly subscribers: readonly Peer[];
  /** Rejects when a connection fails; never resolves. */
  readonly failure: Promise<never>;
}

/** Runs a scenario against the broker that is processes `pids` and listens on `port`. */
export async function runLoad(
  scenario: Scenario,
  port: number,
  pids: readonly number[],
  timing: Timing,
): Promise<Load> {
  const peers: Peer[] = [];
  const watch = new AbortController();
  try {
    const crew = await assemble(scenario, port, peers);
    return await Promise.race([crew.failure, measure(crew, pids, timing, watch.signal)]);
  } finally {
    watch.abort();
    for (const peer of peers) peer.close();
  }
}

async function assemble(scenario: Scenario, port: number, peers: Peer[]): Promise<Crew> {
  const { dialect, qos, window } = scenario;
  let fail: (error: Error) => void = () => {};
  const failure = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failure.catch(() => {});
  const join = async (name: string): Promise<Peer> => {
    const peer = new Peer(name, port, dialect);
    peers.push(peer);
    peer.onFailure = fail;
    await peer.ask(dialect.hello(`bench-${name}`));
    return peer;
  };

  const subscribers: Peer[] = [];
  for (let i = 0; i < scenario.subscribers; i++) {
    const peer = await join(`subscriber-${i}`);
    peer.expected.push(...Array.from({ length: scenario.publishers }, () => -1));
    await peer.ask(dialect.subscribe(filterOf(scenario, i), qos));
    subscribers.push(peer);
  }
  const publishers: Publisher[] = [];
  for (let index = 0; index < scenario.publishers; index++) {
    const peer = await join(`publisher-${index}`);
    const audience = subscribers.filter((_, i) => sourcesOf(scenario, i).includes(index));
    const topic = dialect.topic(scenario.name, index);
    publishers.push(new Publisher(peer, audience, { dialect, topic, qos, window, index }));
  }
  for (const [i, subscriber] of subscribers.entries()) {
    const sources = sourcesOf(scenario, i).flatMap((index) => publishers[index] ?? []);
    subscriber.onRead = () => {
      for (const publisher of sources) publisher.pump();
    };
  }
  for (const publisher of publishers) {
    publisher.peer.onRead = () => publisher.pump();
    publisher.peer.onDrain = () => publisher.pump();
  }
  return { publishers, subscribers, failure };
}

async function measure(
  { publishers, subscribers }: Crew,
  pids: readonly number[],
  timing: Timing,
  signal: AbortSignal,
): Promise<Load> {
  const total = (key: 'received' | 'lost' | 'repeated' | 'corrupt'): number =>
    subscribers.reduce((sum, peer) => sum + peer[key], 0);
  const sum = (of: (pid: number) => number): number => pids.reduce((all, pid) => all + of(pid), 0);
  const snapshot = () => ({
    at: performance.now() / 1000,
    received: total('received'),
    broker: sum(cpuSeconds),
    generator: process.cpuUsage(),
  });

  const progress = (): number => total('received') + publishers.reduce((sum, { peer }) => sum + peer.acknowledged, 0);
  signal.addEventListener('abort', collectArrivals(progress));

  let unacknowledged = 0;
  let last = 0;
  let lastAt = performance.now();
  /** True when nothing has arrived for so long that the rest is taken for lost. */
  const forgive = (): boolean => {
    const now = performance.now();
    const reached = progress();
    if (reached !== last) {
      last = reached;
      lastAt = now;
    }
    if (now - lastAt < STALL) return false;
    lastAt = now;
    const lost = total('lost');
    const missing = publishers.reduce((sum, publisher) => sum + publisher.forgive(), 0);
    unacknowledged += missing - (total('lost') - lost);
    return true;
  };
  const rescue = setInterval(() => {
    if (forgive()) for (const publisher of publishers) publisher.pump();
  }, LOOK);
  signal.addEventListener('abort', () => clearInterval(rescue));

  for (const publisher of publishers) publisher.pump();
  await sleep(timing.warmUpSeconds * 1000);
  const begin = snapshot();
  await sleep(timing.seconds * 1000);
  const end = snapshot();
  const resident = sum(residentBytes);
  clearInterval(rescue);
  for (const publisher of publishers) publisher.stop();
  while (!signal.aborted && publishers.some((publisher) => publisher.settled < publisher.sent) && !forgive()) {
    await sleep(LOOK);
  }
  // A late duplicate would come now.
  await sleep(LOOK);

  const seconds = end.at - begin.at;
  const deliveries = end.received - begin.received;
  const broker = end.broker - begin.broker;
  const generator = end.generator.user + end.generator.system - begin.generator.user - begin.generator.system;
  return {
    rate: deliveries / seconds,
    delivered: total('received'),
    lost: total('lost'),
    repeated: total('repeated'),
    corrupt: total('corrupt'),
    unacknowledged,
    brokerCpuPerMillion: deliveries === 0 ? 0 : (broker / deliveries) * 1e6,
    brokerCpu: broker / seconds,
    generatorCpu: generator / 1e6 / seconds,
    residentBytes: resident,
  };
}
