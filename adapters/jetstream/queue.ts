import { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import { QUEUE_PREFIX } from '../../src/core/topic.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type { QueueEntry, QueueReceiver, QueueStore } from '../../src/ports/queue-store.ts';
import type { Held } from './held.ts';
import type { LaneHost } from './lane.ts';
import type { Lanes } from './lanes.ts';
import type { OwnIds } from './own-ids.ts';
import { Push, type Pusher, type PushReceiver } from './pusher.ts';
import { Arrivals } from './queue-arrivals.ts';
import { type Contents, count } from './queue-contents.ts';
import { scheduleLines } from './queue-headers.ts';
import { priorityOf, queueLines, queueMessage } from './queue-messages.ts';
import type { QueueNames } from './queue-names.ts';
import type { Notes } from './queue-notes.ts';
import { browse, purge } from './queue-reads.ts';
import type { Releases } from './releases.ts';
import { Tally } from './tally.ts';

/** Milliseconds up to which a message that is not due keeps its place in its queue, and is passed over until it is. */
const SHORT_DELAY = 10_000;
/** Seconds between signs that messages are still here. */
const PROGRESS = 10;

export interface QueueHost extends LaneHost {
  readonly pusher: Pusher;
  readonly ids: OwnIds;
  /** A name for a message that waits for its time. */
  unique(): string;
  closed(): void;
}

/** A queue in the work-queue stream: a consumer for each priority that its messages have had. */
export class JetStreamQueue implements QueueStore, PushReceiver {
  readonly #topic: string;
  readonly #names: QueueNames;
  readonly #host: QueueHost;
  readonly #receiver: QueueReceiver;
  readonly #notes: Notes;
  readonly #arrivals: Arrivals;
  readonly #releases: Releases;
  readonly #lanes: Lanes;
  readonly #held: Map<number, Held>;
  readonly #tally: Tally;
  #wanted = 0;
  #pushes = 0;
  #drained: (() => void) | undefined;
  #scheduled = false;
  #closing: Promise<void> | undefined;
  #ticks = 0;
  readonly #turn = (): void => {
    this.#scheduled = false;
    this.#releases.send();
    this.#give();
  };

  constructor(name: string, names: QueueNames, contents: Contents, notes: Notes, host: QueueHost, to: QueueReceiver) {
    this.#topic = QUEUE_PREFIX + name;
    this.#names = names;
    this.#host = host;
    this.#receiver = to;
    this.#notes = notes;
    this.#tally = new Tally(contents);
    this.#arrivals = new Arrivals(name, this.#topic, names, host, notes, this.#tally, () => this.#schedule());
    this.#releases = this.#arrivals.releases;
    this.#lanes = this.#arrivals.lanes;
    this.#held = this.#arrivals.held;
    this.#lanes.of(0, contents.priorities.has(0));
    for (const priority of contents.priorities) this.#lanes.of(priority, true);
  }

  get messages(): number {
    return this.#tally.messages;
  }

  get bytes(): number {
    return this.#tally.bytes;
  }

  // --- in ------------------------------------------------------------------------------------------------------------

  push(message: Message, origin: AppendReceiver, token: number): void {
    if (!this.#arrivals.open) {
      this.#host.clock.defer(() => origin.refused(token, new BrokerError('unavailable', 'the queue is not open')));
      return;
    }
    const priority = priorityOf(message.properties);
    const { deliverAt = 0 } = message.properties ?? {};
    const target = this.#names.lane(priority);
    const own = queueLines(message, this.#topic);
    const later = deliverAt > 0 && deliverAt - this.#host.clock.now() > SHORT_DELAY;
    const subject = later ? this.#names.later(priority, this.#host.unique()) : target;
    const lines = later ? own + scheduleLines(deliverAt, target) : own;
    const dedupId = message.dedupId === undefined ? undefined : this.#notes.scoped(message.dedupId);
    this.#pushes++;
    this.#host.pusher.push(new Push(message, this, origin, token, subject, lines, dedupId, priority, later));
  }

  stored({ message, origin, token, priority, waits }: Push, sequence: number, repeated: boolean): void {
    this.#pushes--;
    if (!repeated) {
      this.#tally.stored(sequence > this.#arrivals.purged ? message.size : 0);
      const { lane } = this.#lanes.of(priority);
      if (!waits) lane.stored(sequence);
      if (this.#wanted > 0) this.#schedule();
    }
    origin.appended(token, message, repeated);
    this.#drain();
  }

  failed({ origin, token }: Push, error: BrokerError): void {
    this.#pushes--;
    origin.refused(token, error);
    this.#drain();
  }

  /** There is a message on a subject of it, which may be the first of its priority. */
  found(subject: string): void {
    const found = this.#names.read(subject);
    if (!this.#arrivals.open || found?.kind !== 'lane' || this.#lanes.has(found.priority)) return;
    this.#lanes.of(found.priority, true);
    this.#schedule();
  }

  #drain(): void {
    if (this.#pushes > 0 || this.#drained === undefined) return;
    this.#drained();
    this.#drained = undefined;
  }

  // --- out -----------------------------------------------------------------------------------------------------------

  want(count: number): void {
    this.#wanted += count;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || !this.#arrivals.open) return;
    this.#scheduled = true;
    this.#host.clock.defer(this.#turn);
  }

  #give(): void {
    if (!this.#arrivals.open || this.#wanted === 0) return;
    const entries = this.#lanes.take(this.#wanted, this.#host.clock.now());
    this.#wanted -= entries.length;
    if (entries.length > 0) this.#receiver.take(entries);
  }

  // --- and back ------------------------------------------------------------------------------------------------------

  #settle(id: number): Held | undefined {
    const held = this.#held.get(id);
    if (held?.taken !== true) return undefined;
    this.#held.delete(id);
    held.buffer.taken--;
    return held;
  }

  remove(id: number): void {
    const held = this.#settle(id);
    if (held === undefined) return;
    held.buffer.lane.removals.add(id, held.consumed);
    this.#tally.removed(held.message.size);
    this.#notes.drop(id);
  }

  release(id: number, dueAt: number, deliveries: number): void {
    const held = this.#settle(id);
    if (held === undefined) return;
    const { buffer, consumed, message, delivered } = held;
    // The server would say that it has given it so often, and does not know the time when another node asks.
    const known = deliveries === delivered && dueAt <= this.#host.clock.now() && this.#notes.of(id) === undefined;
    if (!known) this.#notes.put(id, { deliveries, dueAt });
    this.#releases.add({ id, dueAt, deliveries, buffer, consumed, size: message.size });
    this.#schedule();
  }

  pass(id: number): void {
    const held = this.#settle(id);
    held?.buffer.pass(held);
  }

  revisit(ids?: readonly number[]): void {
    this.#lanes.revisit(ids);
    this.#schedule();
  }

  async flushed(): Promise<void> {
    this.#releases.send();
    await Promise.all([this.#lanes.flushed(), this.#notes.flushed()]);
  }

  // --- as a whole ----------------------------------------------------------------------------------------------------

  browse(
    after: number,
    count: number,
  ): Promise<{ readonly entries: readonly QueueEntry[]; readonly next: number | undefined }> {
    return browse(
      this.#names,
      this.#host.direct,
      after,
      count,
      ({ sequence: id, bytes, headerBytes, time }, priority) => {
        if (this.#lanes.isRemoved(priority, id)) return undefined;
        const message = queueMessage(bytes, headerBytes, this.#topic, time, priority);
        const held = this.#held.get(id);
        const deliveries =
          (held ?? this.#releases.get(id) ?? this.#lanes.passed(id) ?? this.#notes.of(id))?.deliveries ?? 0;
        return { id, message, deliveries, redelivered: deliveries > 0 };
      },
    );
  }

  async purge(): Promise<number> {
    const taken = (): Held[] => [...this.#held.values()].filter((held) => held.taken);
    await this.flushed();
    const bytes = this.#tally.bytes - taken().reduce((sum, { message }) => sum + message.size, 0);
    const count = await purge(this.#names, this.#host, this.#lanes.all, {
      begin: (last) => {
        this.#arrivals.purged = last;
        const gone = [...this.#lanes.all.flatMap((buffer) => buffer.clear()), ...this.#releases.clear(last)];
        for (const { id, consumed, buffer } of gone) {
          this.#held.delete(id);
          buffer.lane.removals.add(id, consumed);
          this.#notes.drop(id);
        }
        return gone.length;
      },
      kept: (id) => this.#held.has(id) || this.#releases.get(id) !== undefined,
    });
    this.#tally.purged(count, bytes, taken().length);
    return count;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#arrivals.open = false;
    this.#releases.send();
    const held = [...this.#held.values()].sort((a, b) => a.id - b.id);
    for (const { id, consumed, buffer } of held) buffer.lane.release(id, consumed, 0);
    this.#held.clear();
    this.#notes.putAll(this.#lanes.misjudged());
    try {
      await this.#pushed();
      await this.#notes.flushed();
      await this.#lanes.close();
      this.#host.frames.flush();
    } finally {
      this.stop();
    }
  }

  #pushed(): Promise<void> {
    if (this.#pushes === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained = resolve;
    });
  }

  async destroy(): Promise<void> {
    this.#arrivals.open = false;
    await this.#pushed();
    await this.#notes.flushed();
    this.stop();
    this.#held.clear();
    const { connection, stream } = this.#host;
    await this.#lanes.destroy();
    for (const filter of [this.#names.subject, this.#names.below]) {
      await connection.ask(`$JS.API.STREAM.PURGE.${stream}`, { filter });
    }
    await this.#notes.bear();
    this.#tally.clear();
  }

  /** Without a word to the server. */
  stop(): void {
    this.#arrivals.open = false;
    this.#lanes.stop();
    this.#host.closed();
  }

  // --- time, and the way to NATS -------------------------------------------------------------------------------------

  /** Once a second. */
  tick(now: number): void {
    const { connection, direct, stream, turns } = this.#host;
    this.#lanes.tick(now);
    if (this.#wanted > 0) this.#schedule();
    void this.#tally.tick(
      () => turns.run(() => count(this.#names, connection, direct, stream)),
      () => this.#arrivals.open && this.#pushes === 0 && this.#lanes.removed,
    );
    if (++this.#ticks % PROGRESS !== 0) return;
    for (const { id, consumed, buffer } of this.#held.values()) buffer.lane.progress(id, consumed);
  }

  down(): void {
    this.#lanes.down();
  }

  up(): void {
    this.#lanes.up();
    for (const { id, consumed, buffer } of this.#held.values()) buffer.lane.progress(id, consumed);
    this.#releases.repeat();
    this.#schedule();
  }
}
