import { BrokerError } from '../../src/core/errors.ts';
import type { Message, UserProperty } from '../../src/core/message.ts';
import type { Limits } from '../../src/ports/limits.ts';
import type { Services } from '../../src/ports/routing.ts';
import { Inflight, type Sent } from './inflight.ts';
import type { Link } from './link.ts';
import type { Delivery, Extras } from './publish-encoder.ts';
import { readRejection } from './rejection.ts';
import { Resender } from './resender.ts';
import type { WriteAhead } from './write-ahead.ts';

/** The session, as far as its messages to the client must reach it. */
export interface OutgoingOwner {
  readonly clientId: string;
  /** What else a message that is sent again goes with. */
  extrasOf(sent: Sent, message: Message): Extras | undefined;
  /** What was in flight is sent again: the rest may follow. */
  resumed(): void;
  /** There may be room for more. */
  drained(): void;
  lost(count: number): void;
}

export type OutgoingServices = Pick<Services, 'counters' | 'logger' | 'recall'> & {
  readonly limits: Pick<Limits, 'inflightOut'>;
};

/**
 * A session's messages to its client, whatever brings them (its subscriptions, replays, groups and queues): they share one
 * window and one set of packet identifiers.
 */
export class Outgoing {
  readonly #owner: OutgoingOwner;
  readonly #services: OutgoingServices;
  /** Of a session that outlives its connection. */
  readonly #writeAhead: WriteAhead | undefined;
  #link: Link | undefined;
  #inflight: Inflight | undefined;
  /** While what is in flight from an earlier connection is being sent again; only then the rest follows. */
  #resender: Resender | undefined;

  constructor(owner: OutgoingOwner, services: OutgoingServices, writeAhead: WriteAhead | undefined) {
    this.#owner = owner;
    this.#services = services;
    this.#writeAhead = writeAhead;
  }

  get connected(): boolean {
    return this.#link !== undefined;
  }

  get resending(): boolean {
    return this.#resender !== undefined;
  }

  entries(): Iterable<readonly [packetId: number, Sent]> {
    return this.#inflight?.entries() ?? [];
  }

  restore(packetId: number, sent: Sent): void {
    this.#sent.restore(packetId, sent);
  }

  /** The client is connected: what was in flight is sent again first. */
  attach(link: Link): void {
    this.#link = link;
    if (this.#inflight === undefined) {
      this.#owner.resumed();
      return;
    }
    this.#resender = new Resender(link, this.#inflight, {
      extrasOf: (sent, message) => this.#owner.extrasOf(sent, message),
      lost: (count) => this.#owner.lost(count),
      resent: () => {
        this.#resender = undefined;
        this.#owner.resumed();
      },
    });
    this.#resender.start(this.#services);
  }

  /** The connection is gone. QoS 2 messages of groups stay with their session [MQTT-4.8.2-4] [MQTT-4.8.2-5]. */
  detach(): void {
    this.#link = undefined;
    for (const [packetId, { qos, holding, delivery }] of this.#inflight?.entries() ?? []) {
      if (qos !== 2 || holding === undefined) continue;
      if (this.#writeAhead === undefined) holding.keepOne(delivery);
      // Its write is not done, so that it was not sent: the group or queue still has it.
      else this.#inflight?.forget(packetId);
    }
  }

  stop(): void {
    this.#resender?.stop();
  }

  // --- to the client ------------------------------------------------------------------------------------------------

  pump(): void {
    this.#resender?.pump();
  }

  /** Whether the connection takes more bytes: all that live messages ask for. */
  roomy(): boolean {
    return this.#link !== undefined && !this.#link.full();
  }

  /** Whether it takes a message that is to be acknowledged. */
  ready(): boolean {
    const link = this.#link;
    if (this.#resender !== undefined || link === undefined || link.full()) return false;
    return this.#inflight === undefined || this.#inflight.hasRoom(link.window, this.#services.limits.inflightOut);
  }

  /** At QoS 0. */
  sendLive(message: Message, delivery: Delivery): void {
    if (this.#link?.fits(message, delivery)) this.#link.publish(message, delivery);
  }

  fits(message: Message, { qos, retain }: Sent, extras: Extras | undefined): boolean {
    return this.#link?.fits(message, { qos, retain, dup: false, packetId: 1, extras }) ?? false;
  }

  /** At QoS 1 or 2. */
  send(message: Message, sent: Sent, extras: Extras | undefined): void {
    const link = this.#link;
    if (link === undefined) return;
    const { qos, retain, holding } = sent;
    const packetId = this.#sent.add(sent);
    const delivery = { qos, retain, dup: false, packetId, extras };
    // The client will know a QoS 2 message by its identifier: that must not be forgotten. What follows keeps its place.
    if (this.#writeAhead !== undefined && (qos === 2 || this.#writeAhead.pending)) {
      message.keep();
      this.#writeAhead.add(() => {
        // A client may have answered what it was not sent: then it has had it.
        const current = this.#inflight?.get(packetId);
        if (this.#link !== link || current === undefined || current.released) return;
        // It had fitted by a Topic Alias, which may stand for another topic now: done with [MQTT-3.1.2-25].
        if (!link.fits(message, delivery)) {
          this.#inflight?.settle(packetId);
          holding?.tooLarge(sent.delivery);
          this.#owner.drained();
          return;
        }
        // From here on it is in the session's hands [MQTT-4.8.2-4].
        if (qos === 2 && holding !== undefined) {
          this.#inflight?.own(packetId);
          holding.settle(sent.delivery, 'accept');
        }
        link.publish(message, delivery);
      });
      return;
    }
    if (holding === undefined) this.#writeAhead?.changed();
    link.publish(message, delivery);
  }

  // --- acknowledgements of the client -------------------------------------------------------------------------------

  puback(packetId: number, reason: number, user: readonly UserProperty[] | undefined): void {
    const sent = this.#inflight?.get(packetId);
    if (sent === undefined) return;
    if (sent.qos !== 1) throw misplaced('PUBACK', packetId, sent);
    this.#settle(packetId, sent, reason, user);
  }

  /** Answers with PUBREL; false when nothing with this identifier is in flight. */
  pubrec(packetId: number, reason: number, user: readonly UserProperty[] | undefined): boolean {
    const link = this.#link;
    const sent = this.#inflight?.get(packetId);
    if (link === undefined || sent === undefined) return false;
    if (sent.qos !== 2) throw misplaced('PUBREC', packetId, sent);
    // The client refuses the message: it is settled (4.3.3).
    if (reason >= 0x80) {
      this.#settle(packetId, sent, reason, user);
      return true;
    }
    this.#inflight?.release(packetId);
    const pubrel = (): void => {
      if (this.#link === link) link.pubrel(packetId);
    };
    if (this.#writeAhead === undefined) pubrel();
    else this.#writeAhead.add(pubrel);
    // The client has it, and will not take it for another one.
    sent.holding?.settle(sent.delivery, 'accept');
    return true;
  }

  pubcomp(packetId: number): void {
    const sent = this.#inflight?.get(packetId);
    if (sent === undefined) return;
    if (!sent.released) throw misplaced('PUBCOMP', packetId, sent);
    this.#settle(packetId, sent, 0, undefined);
  }

  #settle(packetId: number, sent: Sent, reason: number, user: readonly UserProperty[] | undefined): void {
    const { holding, delivery } = sent;
    const rejection = holding !== undefined && reason >= 0x80 ? readRejection(reason, user) : undefined;
    this.#inflight?.settle(packetId);
    if (rejection !== undefined) holding?.refuse(delivery, rejection, user);
    else if (holding !== undefined) holding.settle(delivery, 'accept');
    else {
      if (reason >= 0x80 && sent.message !== undefined && sent.source !== '') this.#refusedOwn(sent);
      this.#writeAhead?.changed();
    }
    this.#owner.drained();
  }

  /** A message of a queue that the session has taken over cannot go back there. */
  #refusedOwn({ source }: Sent): void {
    this.#services.counters.droppedQueue++;
    this.#services.logger.warn(
      { clientId: this.#owner.clientId, filter: source },
      'a client refused a message at QoS 2 that its durable session had taken out of the queue; it is dropped',
    );
  }

  get #sent(): Inflight {
    this.#inflight ??= new Inflight();
    return this.#inflight;
  }
}

/** An answer that this state of the exchange has no place for (MQTT 5.0, 4.3). */
function misplaced(answer: string, packetId: number, { qos, released }: Sent): BrokerError {
  const expected = qos === 1 ? 'PUBACK' : released ? 'PUBCOMP' : 'PUBREC';
  return new BrokerError(
    'protocol',
    `${answer} for packet identifier ${packetId} at QoS ${qos}; ${expected} is expected`,
  );
}
