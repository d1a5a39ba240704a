import { setImmediate as nextTurn } from 'node:timers/promises';
import { MemoryBackbone } from '../../../../adapters/memory/index.ts';
import { createStomp } from '../../../../protocols/stomp/index.ts';
import type { StompOptions } from '../../../../protocols/stomp/options.ts';
import { resolveConfig } from '../../../../src/config/load.ts';
import { Counters } from '../../../../src/core/counters.ts';
import { Message, type Properties, type Qos } from '../../../../src/core/message.ts';
import { DEFAULT_SETTINGS } from '../../../../src/core/queue-settings.ts';
import type { Authorizer } from '../../../../src/ports/authorizer.ts';
import type { Clock, Timer } from '../../../../src/ports/clock.ts';
import type { Limits } from '../../../../src/ports/limits.ts';
import type { Channel } from '../../../../src/ports/protocol.ts';
import type { OutboxSink, Services } from '../../../../src/ports/routing.ts';
import type { Connection, Peer } from '../../../../src/ports/transport.ts';
import { ConnectionBacklog } from '../../../../src/routing/backlog.ts';
import { LocalGroups } from '../../../../src/routing/groups/local-groups.ts';
import { GroupTable } from '../../../../src/routing/groups/table.ts';
import { LogOutbox } from '../../../../src/routing/outbox.ts';
import { QueueCatalog } from '../../../../src/routing/queues/catalog.ts';
import { LetterPublisher } from '../../../../src/routing/queues/letter-publisher.ts';
import { LocalQueues } from '../../../../src/routing/queues/local-queues.ts';
import { recall } from '../../../../src/routing/recall.ts';
import { RetainedStore } from '../../../../src/routing/retained.ts';
import { TopicRouter } from '../../../../src/routing/router.ts';
import { SessionRegistry } from '../../../../src/routing/sessions.ts';
import { startOf } from '../../../../src/routing/start.ts';
import { WillKeeper } from '../../../../src/routing/wills.ts';
import { bodiesOf, parseFrames, type ServerFrame } from './frames.ts';

/** STOMP over the real routing, with time and connections of the test's own: everything happens when the test says so. */

export const limits: Limits = {
  ...resolveConfig().limits,
  connections: 100,
  connectionsPerAddress: 100,
  passwordChecksWaiting: 10,
  clientIdBytes: 64,
  subscriptionsPerSession: 10,
  inflightOut: 32,
  inflightIn: 100,
  outboxMessages: 20,
  outboxBytes: 1_000_000,
  publishBacklog: 8,
  detachedSessions: 10,
  sessionExpirySeconds: 60,
  userProperties: 8,
  userPropertyBytes: 256,
  topicAliases: 4,
  topicAliasesOut: 4,
  retainedMessages: 100,
  retainedBytes: 100_000,
  queues: 4,
  queueMessages: 100,
  queueBytes: 1_000_000,
  stompHeaders: 16,
  stompHeaderBytes: 256,
  stompPrefetch: 3,
  transactions: 2,
  transactionActions: 4,
  transactionBytes: 1000,
  requests: 3,
  webSocketFragments: 16,
};

export class FakeClock implements Clock {
  #now = 1_000_000;
  #seed = 0;
  #deferred: (() => void)[] = [];
  readonly timers = new Set<{ readonly at: number; readonly task: () => void }>();

  now(): number {
    return this.#now;
  }

  schedule(delay: number, task: () => void): Timer {
    const timer = { at: this.#now + delay, task };
    this.timers.add(timer);
    return { cancel: () => this.timers.delete(timer) };
  }

  defer(task: () => void): void {
    this.#deferred.push(task);
  }

  random(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => ++this.#seed & 0xff);
  }

  /** Does what was put off to the end of the turn, until there is no more. */
  settle(): void {
    while (this.#deferred.length > 0) for (const task of this.#deferred.splice(0)) task();
  }

  /** The same, and what goes on by promises. */
  async turn(): Promise<void> {
    for (let i = 0; i < 10; i++) {
      await nextTurn();
      this.settle();
    }
  }

  advance(milliseconds: number): void {
    const until = this.#now + milliseconds;
    for (;;) {
      const due = [...this.timers].filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.task();
      this.settle();
    }
    this.#now = until;
  }
}

/** Collects what is written, and checks that frames have the size they were begun with. */
export class FakeConnection implements Connection {
  readonly peer: Peer;
  buffer = Buffer.alloc(0);
  received = 0;
  /** Whether `full` says so. */
  stuck = false;
  /** The reason given to `end`. */
  ended: string | undefined;
  pauses = 0;
  readonly texts: boolean[] = [];
  readonly attached: Uint8Array[] = [];
  #pieces: (() => Uint8Array)[] = [];
  #announced = 0;
  #written = 0;

  constructor(transport: 'tcp' | 'websocket') {
    this.peer = { name: 'test:1', loopback: true, transport };
  }

  begin(total: number, text = false): void {
    if (this.ended !== undefined) throw new Error('a frame after the end');
    this.#check();
    this.#announced += total;
    this.texts.push(text);
  }

  reserve(bytes: number): number {
    // A new buffer each time: who holds on to an old one writes into nothing.
    const buffer = Buffer.alloc(bytes + 3, 0xee);
    this.buffer = buffer;
    this.#pieces.push(() => buffer.subarray(3));
    this.#written += bytes;
    return 3;
  }

  attach(bytes: Uint8Array): void {
    this.attached.push(bytes);
    this.#pieces.push(() => bytes);
    this.#written += bytes.length;
  }

  full(): boolean {
    return this.stuck;
  }

  pause(): void {
    this.pauses++;
  }

  resume(): void {
    this.pauses--;
  }

  end(reason: string): void {
    if (this.ended !== undefined) throw new Error('ended twice');
    this.ended = reason;
    // What comes from then on is read, and thrown away.
    this.pauses = 0;
  }

  take(): Buffer {
    this.#check();
    const bytes = Buffer.concat(this.#pieces.map((piece) => piece()));
    this.#pieces = [];
    return bytes;
  }

  #check(): void {
    if (this.#announced !== this.#written) throw new Error(`announced ${this.#announced}, wrote ${this.#written}`);
  }
}

/** One client's side of a connection. */
export class TestClient {
  readonly connection: FakeConnection;
  readonly channel: Channel;
  readonly #clock: FakeClock;

  constructor(connection: FakeConnection, channel: Channel, clock: FakeClock) {
    this.connection = connection;
    this.channel = channel;
    this.#clock = clock;
  }

  /** Sends bytes as they are and lets the broker finish what follows. */
  write(bytes: string | Buffer): void {
    this.connection.received += Buffer.byteLength(bytes);
    this.channel.receive(Buffer.from(bytes), this.#clock.now());
    this.#clock.settle();
  }

  /** Sends a frame of these lines; the body follows after ` | `-less lines. */
  send(command: string, lines: readonly string[] = [], body: string | Buffer = ''): void {
    this.write(Buffer.concat([Buffer.from(`${[command, ...lines].join('\n')}\n\n`), Buffer.from(body), Buffer.of(0)]));
  }

  /** What came since the last call. */
  frames(): ServerFrame[] {
    return parseFrames(this.connection.take());
  }

  /** The one frame that came since the last call. */
  frame(): ServerFrame {
    const frames = this.frames();
    const [frame] = frames;
    if (frames.length !== 1 || frame === undefined) throw new Error(`one frame expected: ${JSON.stringify(frames)}`);
    return frame;
  }

  /** Bodies of the messages that came since the last call. */
  bodies(): string[] {
    return bodiesOf(this.frames());
  }

  /** What came since the last call, once all that goes on by promises is done. */
  async later(): Promise<ServerFrame[]> {
    await this.turn();
    return this.frames();
  }

  turn(): Promise<void> {
    return this.#clock.turn();
  }

  /** The connection is gone. */
  drop(): void {
    this.channel.closed();
    this.#clock.settle();
  }

  get closed(): boolean {
    return this.connection.ended !== undefined;
  }
}

const everything: Authorizer = {
  authenticate: ({ userName }) => ({ name: userName ?? 'nobody' }),
  mayPublish: () => true,
  maySubscribe: () => true,
};

/** A broker of this protocol alone. */
export class Harness {
  readonly clock = new FakeClock();
  readonly counters = new Counters();
  readonly services: Services;
  readonly backbone: MemoryBackbone;
  readonly warnings: string[] = [];
  readonly #open: (connection: Connection) => Channel;

  private constructor(
    changed: Partial<Limits>,
    authorizer: Partial<Authorizer>,
    replaced: Partial<Services>,
    options: Partial<StompOptions>,
  ) {
    const { clock, counters } = this;
    const all = { ...limits, ...changed };
    const note = (_: object, text: string) => void this.warnings.push(text);
    const logger = { debug() {}, info() {}, warn: note, error: note };
    this.backbone = new MemoryBackbone({ logBytes: 10_000_000, dedup: { seconds: 120, messages: 1000 } }, clock);
    const { log } = this.backbone;
    const retained = new RetainedStore(this.backbone.state, all, counters, clock, logger);
    const { node } = this.backbone.cluster;
    const { queues: stores } = this.backbone;
    const catalog = new QueueCatalog(this.backbone.state, DEFAULT_SETTINGS, all, logger);
    const queues: LocalQueues = new LocalQueues({
      ...{ stores, catalog, node, limits: all, counters, clock, logger },
      publish: (message, receiver, token) => letters.publish(message, receiver, token),
    });
    const router = new TopicRouter(this.backbone, retained, queues, counters, clock, logger);
    const letters = new LetterPublisher((...letter) => router.append(...letter), queues, clock);
    const wills = new WillKeeper(this.backbone, router, clock, logger);
    const kept = { checkpointMilliseconds: 500, detachedSessions: all.detachedSessions };
    const sessions = new SessionRegistry(this.backbone, clock, counters, logger, kept, (key) => wills.release(key));
    const outbox = (sink: OutboxSink, from?: readonly number[]): LogOutbox =>
      new LogOutbox(sink, log, clock, counters, logger, all, from);
    const { state } = this.backbone;
    const parts = { log, router, outbox, sessions, state, node, limits: all, counters, clock, logger };
    const groups = new LocalGroups(parts);
    this.services = {
      router,
      queues,
      retained,
      clock,
      counters,
      logger,
      limits: all,
      authorizer: { ...everything, ...authorizer },
      wills,
      outbox,
      sessions,
      unmatched: () => false,
      logs: (topic) => sessions.logs(topic),
      groups: new GroupTable(router, counters, groups),
      startOf: (start, filter) => startOf(log, start, filter),
      backlog: (connection) => new ConnectionBacklog(router, connection, all.publishBacklog),
      recall: (positions, receiver) => recall(log, clock, positions, receiver),
      ...replaced,
    };
    void this.backbone.start(router);
    this.#open = createStomp(this.services, { ...resolveConfig().stomp, ...options }).open;
  }

  /** `replaced`: parts of the routing that the test plays itself. */
  static open(
    changed: Partial<Limits> = {},
    authorizer: Partial<Authorizer> = {},
    replaced: Partial<Services> = {},
    options: Partial<StompOptions> = {},
  ): Harness {
    return new Harness(changed, authorizer, replaced, options);
  }

  /** What goes on by promises is done. */
  turn(): Promise<void> {
    return this.clock.turn();
  }

  open(transport: 'tcp' | 'websocket' = 'tcp'): TestClient {
    const connection = new FakeConnection(transport);
    return new TestClient(connection, this.#open(connection), this.clock);
  }

  /** A client that has logged in; its CONNECTED is taken. */
  connect(
    version: '1.0' | '1.1' | '1.2' = '1.2',
    transport: 'tcp' | 'websocket' = 'tcp',
    login: readonly string[] = [],
  ): TestClient {
    const client = this.open(transport);
    client.send('CONNECT', [`accept-version:${version}`, 'host:test', ...login]);
    const { command, headers } = client.frame();
    if (command !== 'CONNECTED' || headers.version !== version) throw new Error(`not connected: ${command}`);
    return client;
  }

  /** A message from a client of another protocol. */
  publish(topic: string, body: string | Buffer, properties?: Properties, qos: Qos = 0, retain = false): void {
    const data = Buffer.from(body);
    const publisher = { clientId: 'other', protocol: 'mqtt' } as const;
    const now = this.clock.now();
    const message = new Message(topic, data, 0, data.length, qos, retain, properties, publisher, now);
    this.services.router.publish(message, { appended() {}, refused() {} }, 0);
    this.clock.settle();
  }

  tick(client: TestClient): void {
    client.channel.tick(this.clock.now());
  }
}
