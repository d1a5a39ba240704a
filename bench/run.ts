import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { type BrokerName, startBroker, whyAbsent } from './brokers.ts';
import { type Idle, runIdle } from './idle.ts';
import { type Load, runLoad } from './load.ts';
import { HELP, type Options, readOptions, UsageError } from './options.ts';
import { ratioOf, summarize, table, whole } from './report.ts';
import { IDLE, IDLE_CONNECTIONS, SCENARIOS, type Scenario } from './scenarios.ts';

/** The command `npm run bench`; README.md beside this file says how to read it. */

interface Run {
  readonly scenario: string;
  readonly broker: BrokerName;
  readonly round: number;
  readonly load: Load;
}

const faults: string[] = [];

function fault(text: string): void {
  faults.push(text);
  console.log(`  FAULT: ${text}`);
}

/** Starts the broker, uses it, ends it; a failure is noted and undefined returned. */
async function withBroker<T>(
  name: BrokerName,
  use: (port: number, pids: readonly number[]) => Promise<T>,
  dialect: 'mqtt' | 'stomp' = 'mqtt',
) {
  try {
    const broker = await startBroker(name);
    try {
      return await use(broker.ports[dialect], broker.pids);
    } finally {
      await broker.stop();
    }
  } catch (error) {
    fault(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

async function runScenario(scenario: Scenario, brokers: readonly BrokerName[], options: Options): Promise<Run[]> {
  const runs: Run[] = [];
  const able = brokers.filter((broker) => scenario.brokers.includes(broker));
  for (let round = 1; round <= options.rounds; round++) {
    for (const broker of able) {
      const dialect = scenario.instead?.[broker] ?? scenario.dialect;
      const load = await withBroker(
        broker,
        (port, pids) => runLoad({ ...scenario, dialect }, port, pids, options),
        dialect.name,
      );
      if (load === undefined) continue;
      runs.push({ scenario: scenario.name, broker, round, load });
      console.log(`${scenario.name.padEnd(12)} ${broker.padEnd(10)} ${whole(load.rate).padStart(10)} messages/s`);
      const missing = load.lost + load.unacknowledged;
      if (scenario.qos === 1 && missing > 0) fault(`${broker} lost ${missing} messages at QoS 1`);
      if (load.corrupt > 0) fault(`${broker} delivered ${load.corrupt} messages that are damaged or for others`);
    }
  }
  return runs;
}

async function runIdleConnections(brokers: readonly BrokerName[]): Promise<{ broker: BrokerName; idle: Idle }[]> {
  const results: { broker: BrokerName; idle: Idle }[] = [];
  for (const broker of brokers.filter((name) => name === 'trimaran' || name === 'mosquitto')) {
    const idle = await withBroker(broker, (port, [pid = 0]) => runIdle(IDLE_CONNECTIONS, port, pid));
    if (idle === undefined) continue;
    results.push({ broker, idle });
    console.log(
      `idle         ${broker.padEnd(10)} ${whole(idle.bytesEach).padStart(10)} bytes for each of ${whole(idle.connections)} MQTT connections`,
    );
  }
  return results;
}

async function main(options: Options): Promise<void> {
  const brokers = options.brokers.filter((name) => {
    const reason = whyAbsent(name);
    if (reason !== undefined) console.log(`Without ${name}: ${reason}.`);
    return reason === undefined;
  });
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}`;
  console.log(
    `${machine}; ${options.rounds} rounds of ${options.warmUpSeconds} + ${options.seconds} s, 64-byte payloads\n`,
  );

  const rows = [];
  for (const scenario of SCENARIOS.filter(({ name }) => options.only.includes(name))) {
    const runs = await runScenario(scenario, brokers, options);
    const summaries = brokers.flatMap((broker) => {
      const loads = runs.filter((run) => run.broker === broker).map((run) => run.load);
      return loads.length === 0 ? [] : [summarize(broker, loads)];
    });
    rows.push({ scenario, summaries, runs });
  }
  const idle = options.only.includes(IDLE) ? await runIdleConnections(brokers) : [];

  if (rows.length > 0) console.log(`\n${table(rows)}`);
  for (const text of faults) console.log(`FAULT: ${text}`);
  if (options.json !== undefined) {
    const scenarios = rows.map(({ scenario, summaries, runs }) => ({
      name: scenario.name,
      title: scenario.title,
      window: scenario.window,
      ratios: scenario.ratios.map((ratio) => ({ ...ratio, reached: ratioOf(ratio, summaries, ({ rate }) => rate) })),
      summaries,
      runs,
    }));
    writeFileSync(options.json, `${JSON.stringify({ machine, options, scenarios, idle, faults }, null, 2)}\n`);
  }
  process.exitCode = faults.length > 0 ? 1 : 0;
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(HELP);
  else await main(options);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`bench: ${error.message}\n${HELP}`);
  process.exitCode = 2;
}
