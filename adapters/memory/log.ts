import { DedupWindow } from '../../src/core/dedup-window.ts';
import { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import { recordBytes, writeRecord } from '../../src/core/record.ts';
import { TopicMatcher } from '../../src/core/topic-matcher.ts';
import type { AppendReceiver, BackboneReceiver, Log, ReadReceiver } from '../../src/ports/backbone.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { Segment } from './segment.ts';

/** Bytes of a segment; a larger record gets a segment of its own. Also the steps in which old messages go. */
const SEGMENT_BYTES = 1024 * 1024;
/** Messages one read looks at, so that a filter that matches few does not hold up everything else. */
const MAX_LOOKED = 10_000;
/** Segments the limit is divided into at least, so that a small log does not forget all at once. */
const MIN_SEGMENTS = 8;

export interface DedupLimits {
  readonly seconds: number;
  readonly messages: number;
}

/**
 * The log as segments of encoded records outside the JavaScript heap: a million kept messages are a few hundred
 * buffers to the garbage collector. Appended messages of one turn are one batch, as with the stores on disk.
 */
export class MemoryLog implements Log {
  readonly shards = 1;
  readonly #limit: number;
  readonly #segmentBytes: number;
  readonly #clock: Clock;
  readonly #segments: Segment[] = [];
  #bytes = 0;
  /** The sequence the next appended message gets, and the one after the last committed. */
  #end = 1;
  #committed = 1;
  #receiver: BackboneReceiver | undefined;
  #batch: Message[] = [];
  #receivers: AppendReceiver[] = [];
  #tokens: number[] = [];
  readonly #dedup: DedupWindow;
  #scheduled = false;
  readonly #commit = (): void => this.commit();

  constructor(limit: number, dedup: DedupLimits, clock: Clock) {
    this.#dedup = new DedupWindow(dedup);
    this.#limit = limit;
    this.#segmentBytes = Math.min(SEGMENT_BYTES, Math.ceil(limit / MIN_SEGMENTS));
    this.#clock = clock;
  }

  open(receiver: BackboneReceiver): void {
    this.#receiver = receiver;
  }

  first(_shard: number): number {
    return this.#segments[0]?.first ?? this.#committed;
  }

  next(_shard: number): number {
    return this.#committed;
  }

  append(message: Message, receiver: AppendReceiver, token: number): void {
    if (this.#receiver === undefined) {
      this.#clock.defer(() => receiver.refused(token, new BrokerError('unavailable', 'the log is not open')));
      return;
    }
    if (message.dedupId !== undefined && this.#known(message.dedupId)) {
      // Behind the batch with the first of them, if that is still under way.
      this.#clock.defer(() => receiver.appended(token, message));
      return;
    }
    const bytes = recordBytes(message);
    let segment = this.#segments[this.#segments.length - 1];
    if (segment === undefined || !segment.fits(bytes)) segment = this.#grow(bytes);
    const at = segment.take(bytes);
    const payload = writeRecord(segment.buffer, at, message);
    message.adopt(segment.buffer, payload, at + bytes);
    message.sequence = this.#end++;
    this.#batch.push(message);
    this.#receivers.push(receiver);
    this.#tokens.push(token);
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#clock.defer(this.#commit);
    }
  }

  /** What is appended is as durable as it gets. */
  congested(): boolean {
    return false;
  }

  read(
    shard: number,
    sequence: number,
    filters: readonly string[] | undefined,
    count: number,
    bytes: number,
    receiver: ReadReceiver,
  ): void {
    this.#clock.defer(() => {
      const wanted = filters === undefined ? undefined : new TopicMatcher(filters);
      const messages: Message[] = [];
      let next = Math.max(sequence, this.first(shard));
      let size = 0;
      for (let looked = 0; looked < MAX_LOOKED && messages.length < count && size < bytes; looked++) {
        const segment = next < this.#committed ? this.#segmentOf(next) : undefined;
        if (segment === undefined) break;
        const message = segment.read(next++);
        if (wanted !== undefined && !wanted.has(message.topic)) continue;
        messages.push(message);
        size += message.size;
      }
      receiver.batch(shard, messages, next);
    });
  }

  #known(id: string): boolean {
    const now = this.#clock.now();
    if (this.#dedup.find(id, now) !== undefined) return true;
    this.#dedup.add(id, this.#end, now);
    return false;
  }

  /** The batch is durable (as far as memory is): tail first, then the publishers' acknowledgements. */
  commit(): void {
    this.#scheduled = false;
    const batch = this.#batch;
    if (batch.length === 0) return;
    const receivers = this.#receivers;
    const tokens = this.#tokens;
    this.#batch = [];
    this.#receivers = [];
    this.#tokens = [];
    this.#receiver?.tail(batch);
    this.#committed += batch.length;
    for (let i = 0; i < batch.length; i++) {
      const message = batch[i];
      if (message !== undefined) receivers[i]?.appended(tokens[i] ?? 0, message);
    }
  }

  #grow(bytes: number): Segment {
    const segment = new Segment(this.#end, Math.max(this.#segmentBytes, bytes));
    this.#segments.push(segment);
    this.#bytes += segment.buffer.length;
    // The newest stays whatever its size: an acknowledged message is readable at least until the next segment.
    while (this.#bytes > this.#limit && this.#segments.length > 2) {
      this.#bytes -= this.#segments.shift()?.buffer.length ?? 0;
    }
    return segment;
  }

  /** Binary search by first sequence. */
  #segmentOf(sequence: number): Segment | undefined {
    let low = 0;
    let high = this.#segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#segments[middle]?.first ?? 0) <= sequence) low = middle;
      else high = middle - 1;
    }
    return this.#segments[low];
  }
}
