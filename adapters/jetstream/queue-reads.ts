import type { QueueEntry } from '../../src/ports/queue-store.ts';
import { number, record } from './api.ts';
import type { DirectGet, Stored } from './direct-get.ts';
import type { LaneBuffer } from './held.ts';
import type { LaneHost } from './lane.ts';
import type { QueueNames } from './queue-names.ts';

/** Messages and bytes of one read, and removals that are under way at a time. */
const READ = 500;
const READ_BYTES = 8 * 1024 * 1024;
const REMOVALS = 256;

/** Of all priorities, with those that wait for their time, by ascending sequence. `entry`: undefined for what is not to be seen. */
export async function browse(
  names: QueueNames,
  direct: DirectGet,
  after: number,
  count: number,
  entry: (stored: Stored, priority: number) => QueueEntry | undefined,
): Promise<{ readonly entries: readonly QueueEntry[]; readonly next: number | undefined }> {
  const entries: QueueEntry[] = [];
  for (let from = after + 1; ; ) {
    const size = Math.min(READ, count);
    const parts = await Promise.all(
      [names.subject, names.below].map((subject) => direct.portion(from, subject, size, READ_BYTES)),
    );
    const horizon = Math.min(
      ...parts.map(({ all, messages }) => (all ? Infinity : (messages[messages.length - 1]?.sequence ?? from) + 1)),
    );
    const stored = parts.flatMap(({ messages }) => messages).sort((a, b) => a.sequence - b.sequence);
    for (const each of stored) {
      const found = names.read(each.subject);
      if (each.sequence >= horizon || found === undefined || found.kind === 'note') continue;
      const read = entry(each, found.priority);
      if (read === undefined) continue;
      if (entries.length === count) return { entries, next: entries[count - 1]?.id };
      entries.push(read);
    }
    if (horizon === Infinity) return { entries, next: undefined };
    if (entries.length === count) return { entries, next: entries[count - 1]?.id };
    from = horizon;
  }
}

export interface Purging {
  /** Gives up what is with this node and not taken; nothing up to `last` is taken from now on. Returns how many those were. */
  begin(last: number): number;
  kept(id: number): boolean;
}

/** Removes what was not taken; returns how many those were. */
export async function purge(
  names: QueueNames,
  host: LaneHost,
  buffers: readonly LaneBuffer[],
  purging: Purging,
): Promise<number> {
  const { connection, stream } = host;
  const info = await connection.ask(`$JS.API.STREAM.INFO.${stream}`);
  const last = number(record(info.state).last_seq);
  let count = purging.begin(last);
  await Promise.all(buffers.map(({ lane }) => lane.removals.flushed()));
  const whole = async (filter: string): Promise<void> => {
    const answer = await connection.ask(`$JS.API.STREAM.PURGE.${stream}`, { filter, seq: last + 1 });
    count += number(answer.purged);
  };
  await whole(names.allLater);
  for (const { lane, taken } of [...buffers]) {
    const subject = names.lane(lane.priority);
    if (taken === 0) await whole(subject);
    else count += await each(host, subject, last, purging.kept);
    lane.purged();
  }
  return count;
}

/** One by one, since the server removes all of a subject or none. */
async function each(host: LaneHost, subject: string, last: number, kept: (id: number) => boolean): Promise<number> {
  const { connection, direct, stream } = host;
  let count = 0;
  for (let from = 1; from <= last; ) {
    const { messages, all } = await direct.portion(from, subject, REMOVALS, READ_BYTES);
    const gone = messages.filter(({ sequence }) => sequence <= last && !kept(sequence));
    const answers = await Promise.allSettled(
      gone.map(({ sequence }) =>
        connection.ask(`$JS.API.STREAM.MSG.DELETE.${stream}`, { seq: sequence, no_erase: true }),
      ),
    );
    count += answers.filter(({ status }) => status === 'fulfilled').length;
    const end = messages[messages.length - 1];
    if (all || end === undefined) break;
    from = end.sequence + 1;
  }
  return count;
}
