import { parseArgs } from 'node:util';
import type { BrokerName } from './brokers.ts';
import { IDLE, SCENARIOS } from './scenarios.ts';

const ALL = ['trimaran', 'memory', 'jetstream', 'mosquitto', 'nats', 'rabbitmq'] as const;

export const HELP = `The load generator of Trimaran: runs scenarios against brokers in turn, and compares.

Usage: npm run bench -- [options]

  --seconds N      Measured time of a run (default 5)
  --warm-up N      Time before it (default 2)
  --rounds N       Runs of every scenario with every broker, interleaved (default 2)
  --only LIST      Of ${[...SCENARIOS.map(({ name }) => name), IDLE].join(',')} (default: all)
  --brokers LIST   Of ${ALL.join(',')} (default: all; nats is nats-server's own MQTT)
  --json FILE      Also write every single run to FILE
  --self-test      Measure the generator itself, against a relay that only copies bytes
  --help
`;

export interface Options {
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly rounds: number;
  readonly only: readonly string[];
  readonly brokers: readonly BrokerName[];
  readonly json: string | undefined;
}

export class UsageError extends Error {}

/** undefined when only help is wanted. */
export function readOptions(args: readonly string[]): Options | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  const selfTest = values['self-test'];
  const loads = SCENARIOS.map(({ name }) => name);
  const targeted = SCENARIOS.filter(({ brokers }) => brokers.includes('relay')).map(({ name }) => name);
  return {
    seconds: number(values.seconds, 'seconds', 0.1, 600),
    warmUpSeconds: number(values['warm-up'], 'warm-up', 0, 600),
    rounds: number(values.rounds, 'rounds', 1, 100),
    // The relay knows MQTT QoS 0 only.
    only: listOf(values.only, 'only', selfTest ? targeted : [...loads, IDLE]),
    brokers: selfTest ? ['relay'] : listOf(values.brokers, 'brokers', ALL),
    json: values.json,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seconds: { type: 'string', default: '5' },
        'warm-up': { type: 'string', default: '2' },
        rounds: { type: 'string', default: '2' },
        only: { type: 'string' },
        brokers: { type: 'string' },
        json: { type: 'string' },
        'self-test': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function number(text: string, name: string, least: number, most: number): number {
  const value = Number(text);
  if (value >= least && value <= most) return value;
  throw new UsageError(`--${name}: found ${text}, expected a number from ${least} to ${most}`);
}

/** The named ones in the order of `known`; all when none is named. */
function listOf<T extends string>(text: string | undefined, name: string, known: readonly T[]): readonly T[] {
  if (text === undefined) return known;
  const wanted = text.split(',').map((word) => word.trim());
  const strange = wanted.find((word) => !known.some((item) => item === word));
  if (strange !== undefined) throw new UsageError(`--${name}: found ${strange}, expected of ${known.join(', ')}`);
  return known.filter((item) => wanted.includes(item));
}
