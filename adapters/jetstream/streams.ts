import { type Answer, API, ApiError, record, type StreamState, streamState, text } from './api.ts';
import type { Connection } from './connection.ts';
import type { JetStreamOptions } from './options.ts';

/** The streams and their settings. README.md says why each setting is as it is. */

/** Seconds in which a repeated change of the state is recognised; it is repeated after the time of an answer. */
const STATE_REPEATS = 60;
const NANOSECONDS = 1_000_000_000;
/** Queues that are consumed, and their priorities. From 2.15 on a stream that says nothing has 1,000 at most. */
const MAX_CONSUMERS = 100_000;

export interface Names {
  readonly log: string;
  readonly state: string;
  readonly queue: string;
}

export function streamNames(prefix: string): Names {
  return { log: `${prefix}_LOG`, state: `${prefix}_STATE`, queue: `${prefix}_QUEUE` };
}

export function logConfig({ prefix, replicas, retention, dedup }: JetStreamOptions): Answer {
  return {
    name: streamNames(prefix).log,
    description: 'Logged messages of Trimaran',
    subjects: [`${prefix}.log.>`],
    storage: 'file',
    num_replicas: replicas,
    retention: 'limits',
    discard: 'old',
    max_bytes: retention.bytes,
    max_age: retention.seconds * NANOSECONDS,
    max_msgs: -1,
    max_msgs_per_subject: -1,
    max_consumers: -1,
    max_msg_size: -1,
    // It may not be longer than messages are kept.
    duplicate_window: Math.min(dedup.seconds, retention.seconds) * NANOSECONDS,
    allow_direct: true,
  };
}

export function stateConfig({ prefix, replicas }: JetStreamOptions): Answer {
  return {
    name: streamNames(prefix).state,
    description: 'Sessions, retained messages, wills and nodes of Trimaran',
    subjects: [`${prefix}.state.>`],
    storage: 'file',
    num_replicas: replicas,
    retention: 'limits',
    discard: 'old',
    max_bytes: -1,
    max_age: 0,
    max_msgs: -1,
    max_msgs_per_subject: 1,
    max_consumers: -1,
    max_msg_size: -1,
    duplicate_window: STATE_REPEATS * NANOSECONDS,
    allow_direct: true,
    allow_msg_ttl: true,
  };
}

export function queueConfig({ prefix, replicas, dedup }: JetStreamOptions): Answer {
  return {
    name: streamNames(prefix).queue,
    description: 'Queues of Trimaran',
    subjects: [`${prefix}.queue.>`],
    storage: 'file',
    num_replicas: replicas,
    retention: 'workqueue',
    discard: 'old',
    max_bytes: -1,
    max_age: 0,
    max_msgs: -1,
    max_msgs_per_subject: -1,
    max_consumers: MAX_CONSUMERS,
    max_msg_size: -1,
    duplicate_window: dedup.seconds * NANOSECONDS,
    allow_direct: true,
    allow_msg_ttl: true,
    allow_msg_schedules: true,
    allow_rollup_hdrs: true,
  };
}

/** Creates the stream, or changes what is set otherwise; says where it begins and ends. */
export async function ensureStream(connection: Connection, wanted: Answer): Promise<StreamState> {
  const name = text(wanted.name);
  for (;;) {
    const found = await describe(connection, name);
    try {
      if (found === undefined) return streamState(await connection.ask(`$JS.API.STREAM.CREATE.${name}`, wanted));
      const config = record(found.config);
      const same = Object.entries(wanted).every(([key, value]) => isSame(config[key], value));
      if (same) return streamState(found);
      return streamState(await connection.ask(`$JS.API.STREAM.UPDATE.${name}`, { ...config, ...wanted }));
    } catch (error) {
      // Another node was faster.
      if (error instanceof ApiError && found === undefined && (await describe(connection, name)) !== undefined)
        continue;
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(
        `The stream ${name} cannot be ${found === undefined ? 'created' : 'changed'}: ${why} ` +
          '(backbone.nats.replicas, backbone.retention, backbone.dedup)',
      );
    }
  }
}

export async function describe(connection: Connection, name: string): Promise<Answer | undefined> {
  try {
    return await connection.ask(`$JS.API.STREAM.INFO.${name}`);
  } catch (error) {
    if (error instanceof ApiError && error.apiCode === API.streamNotFound) return undefined;
    throw error;
  }
}

/** The server leaves out what is zero, empty or false. */
function isSame(found: unknown, wanted: unknown): boolean {
  if (found === undefined) return wanted === 0 || wanted === '' || wanted === false;
  return JSON.stringify(found) === JSON.stringify(wanted);
}
