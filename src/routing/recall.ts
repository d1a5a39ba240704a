import type { Log } from '../ports/backbone.ts';
import type { Clock } from '../ports/clock.ts';
import type { Position, RecallReceiver } from '../ports/routing.ts';

/** Messages and bytes of one read: positions in flight are close to each other. */
const COUNT = 100;
const BYTES = 1024 * 1024;
/** Milliseconds until a failed read is tried again. */
const RETRY = 1000;

/** Reads single messages of the log, given by position, in order, and tells of each; then `done`. */
export function recall(log: Log, clock: Clock, positions: readonly Position[], receiver: RecallReceiver): void {
  const left = [...positions].sort((a, b) => a.shard - b.shard || a.sequence - b.sequence);
  let at = 0;
  next();

  function next(): void {
    let wanted = left[at];
    while (wanted !== undefined && wanted.sequence < log.first(wanted.shard)) {
      receiver.missing(wanted);
      wanted = left[++at];
    }
    if (wanted === undefined) receiver.done();
    else read(wanted);
  }

  function read({ shard, sequence }: Position): void {
    log.read(shard, sequence, undefined, COUNT, BYTES, {
      batch: (_shard, messages, end) => {
        for (const message of messages) {
          skipBefore(shard, message.sequence);
          const wanted = left[at];
          if (wanted?.shard !== shard || wanted.sequence !== message.sequence) continue;
          at++;
          receiver.message(message);
        }
        skipBefore(shard, end);
        next();
      },
      failed: () => void clock.schedule(RETRY, next),
    });
  }

  function skipBefore(shard: number, sequence: number): void {
    for (let wanted = left[at]; wanted?.shard === shard && wanted.sequence < sequence; wanted = left[++at]) {
      receiver.missing(wanted);
    }
  }
}
