import type { Msg } from 'nats';
import type { Message } from '../../src/core/message.ts';
import type { Arrival } from './ack-replies.ts';
import type { Stored } from './direct-get.ts';
import { Held } from './held.ts';
import type { Lane, LaneReceiver } from './lane.ts';
import { Lanes } from './lanes.ts';
import type { PassedOver } from './passed.ts';
import type { QueueHost } from './queue.ts';
import { isScheduled, queueMessage } from './queue-messages.ts';
import type { QueueNames } from './queue-names.ts';
import type { Notes } from './queue-notes.ts';
import type { Raw } from './raw.ts';
import { Releases } from './releases.ts';
import type { Tally } from './tally.ts';

/** What the server gives of a queue: for the first time, again, or after an owner before; and what becomes of it here. */
export class Arrivals implements LaneReceiver {
  readonly lanes: Lanes;
  /** What is with this node, by id. */
  readonly held = new Map<number, Held>();
  readonly releases: Releases;
  /** Everything up to it that was not taken then is removed. */
  purged = 0;
  /** When it is not, what comes is left to the next owner. */
  open = true;
  readonly #topic: string;
  readonly #host: QueueHost;
  readonly #notes: Notes;
  readonly #tally: Tally;
  readonly #soon: () => void;

  /** `soon`: there may be something to give, or to be asked for. */
  constructor(
    name: string,
    topic: string,
    names: QueueNames,
    host: QueueHost,
    notes: Notes,
    tally: Tally,
    soon: () => void,
  ) {
    this.#topic = topic;
    this.#host = host;
    this.#notes = notes;
    this.#tally = tally;
    this.#soon = soon;
    this.releases = new Releases(host.clock);
    this.lanes = new Lanes(name, names, host, this);
  }

  resumed(): void {
    this.#soon();
  }

  arrived(lane: Lane, _message: Msg, { bytes, headerBytes }: Raw, arrival: Arrival): void {
    const { id, consumed, delivered } = arrival;
    const released = this.releases.get(id);
    if (!this.open) return;
    this.#soon();
    const held = this.held.get(id);
    if (held !== undefined) {
      held.consumed = consumed;
      return;
    }
    if (this.lanes.of(lane.priority).keptPassed(arrival)) return;
    if (lane.removals.has(id)) {
      lane.removals.again(id, consumed);
      return;
    }
    if (released === undefined && id <= this.purged) {
      lane.removals.add(id, consumed);
      return;
    }
    const message = queueMessage(bytes, headerBytes, this.#topic, arrival.time, lane.priority);
    if (released === undefined && delivered === 1) this.#add(message, id, bytes, headerBytes);
    const buffer = this.lanes.of(lane.priority);
    const dueAt = released?.dueAt ?? message.properties?.deliverAt ?? 0;
    const noted = this.#notes.of(id);
    if (dueAt > this.#host.clock.now()) {
      const { deliveries } = released ?? noted ?? { deliveries: 0 };
      this.releases.postpone({ id, dueAt, deliveries, buffer, consumed, size: message.size });
      return;
    }
    this.releases.returned(id);
    const deliveries = (released ?? noted)?.deliveries ?? delivered - 1;
    const entry = new Held(id, message, deliveries, buffer, delivered, consumed);
    this.held.set(id, entry);
    buffer.add(entry);
  }

  /** What an application has put there was not counted yet; and what comes back before it was said to be stored, is. */
  #add({ size }: Message, id: number, bytes: Uint8Array, headerBytes: number): void {
    const number = this.#host.ids.numberIn(bytes, headerBytes);
    if (number > 0) this.#host.pusher.seen(number, id);
    else if (!isScheduled(bytes, headerBytes)) this.#tally.found(id, size);
  }

  inherited(lane: Lane, stored: readonly Stored[], consumed: number): void {
    const now = this.#host.clock.now();
    const buffer = this.lanes.of(lane.priority);
    for (const { sequence: id, bytes, headerBytes, time } of stored) {
      const { size, properties } = queueMessage(bytes, headerBytes, this.#topic, time, lane.priority);
      const note = this.#notes.of(id);
      const dueAt = note?.dueAt ?? properties?.deliverAt ?? 0;
      const deliveries = note?.deliveries ?? (dueAt > now ? 0 : undefined);
      this.releases.add({ id, dueAt, deliveries, buffer, consumed, size });
    }
    this.releases.send();
  }

  revisited(lane: Lane, passed: PassedOver, { sequence: id, bytes, headerBytes, time }: Stored): void {
    const { deliveries, delivered, consumed } = passed;
    const buffer = this.lanes.of(lane.priority);
    const message = queueMessage(bytes, headerBytes, this.#topic, time, lane.priority);
    const held = new Held(id, message, deliveries, buffer, delivered, consumed);
    this.held.set(id, held);
    buffer.addBack(held, passed);
  }
}
