import type { Message } from '../core/message.ts';
import { TopicMatcher } from '../core/topic-matcher.ts';
import type { Log } from '../ports/backbone.ts';

/** Messages and bytes of one read. */
const COUNT = 1000;
const BYTES = 1024 * 1024;

/** A part of one shard of the log: from `from` on, before `to`. */
export interface Range {
  readonly shard: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Shows what is in that part of the log, and matches the filter, in portions, until `visit` says false. Resolves with the
 * position up to which it has looked; rejects with a BrokerError when the log cannot be read.
 */
export async function scan(
  log: Log,
  { shard, from, to }: Range,
  filter: string | undefined,
  visit: (message: Message) => boolean,
): Promise<number> {
  const filters = filter === undefined ? undefined : [filter];
  const matcher = filters && new TopicMatcher(filters);
  for (let at = from; at < to; ) {
    const { messages, next } = await readOnce(log, shard, at, filters, Math.min(COUNT, to - at));
    for (const message of messages) {
      if (message.sequence >= to) return to;
      if (matcher?.has(message.topic) !== false && !visit(message)) return message.sequence + 1;
    }
    // The log ends before `to`.
    if (next <= at) return at;
    at = next;
  }
  return to;
}

/** The first message at `sequence` or behind it; undefined when there is none. */
export async function messageAt(log: Log, shard: number, sequence: number): Promise<Message | undefined> {
  for (let at = sequence; at < log.next(shard); ) {
    const { messages, next } = await readOnce(log, shard, at, undefined, 1);
    if (messages[0] !== undefined) return messages[0];
    // Retention has removed it meanwhile.
    at = Math.max(next, at + 1);
  }
  return undefined;
}

function readOnce(
  log: Log,
  shard: number,
  from: number,
  filters: readonly string[] | undefined,
  count: number,
): Promise<{ readonly messages: readonly Message[]; readonly next: number }> {
  return new Promise((resolve, reject) => {
    log.read(shard, from, filters, count, BYTES, {
      batch: (_, messages, next) => resolve({ messages, next }),
      failed: reject,
    });
  });
}
