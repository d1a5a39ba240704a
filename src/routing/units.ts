import { asBrokerError, type BrokerError } from '../core/errors.ts';
import type { Message } from '../core/message.ts';
import { QUEUE_PREFIX } from '../core/topic.ts';
import type { AppendReceiver, Backbone } from '../ports/backbone.ts';
import type { Router, Unit } from '../ports/routing.ts';
import { NOBODY } from './append-receivers.ts';
import type { QueueInlet } from './hosts.ts';

/** How often queues are looked for again that were not there for long. */
const TRIES = 3;

/** What a unit puts into one queue. */
interface Share {
  messages: number;
  /** Of payloads. */
  bytes: number;
}

/** Of a unit that is under way: tells it once that all of its messages are durable, or that one is not. */
class UnderWay implements AppendReceiver {
  readonly hearsAll = true;
  readonly #unit: Unit;
  readonly #joined: boolean;
  #left: number;
  #repeated = true;

  constructor(unit: Unit, joined: boolean) {
    this.#unit = unit;
    this.#joined = joined;
    this.#left = unit.messages.length;
  }

  appended(_token: number, _message: Message, repeated = false): void {
    this.#repeated &&= repeated;
    if (--this.#left !== 0) return;
    if (!this.#joined) this.#unit.join();
    this.#unit.done(this.#repeated);
  }

  refused(_token: number, error: BrokerError): void {
    if (this.#left > 0) this.#unit.refused(error);
    this.#left = 0;
  }
}

/** Publishes what is to be there all or not at all: nothing of it before all is found possible, then all in one turn. */
export class Units {
  readonly #backbone: Backbone;
  readonly #queues: QueueInlet;
  readonly #router: Pick<Router, 'publish'>;

  constructor(backbone: Backbone, queues: QueueInlet, router: Pick<Router, 'publish'>) {
    this.#backbone = backbone;
    this.#queues = queues;
    this.#router = router;
  }

  publish(unit: Unit): Promise<void> | undefined {
    const shares = this.#shares(unit.messages);
    // What is half logged and half live could be half refused.
    const logged = unit.durable || shares.size > 0 || unit.messages.some(({ qos }) => qos > 0);
    if (!logged) {
      const fault = unit.fault();
      if (fault !== undefined) unit.refused(fault);
      else this.#live(unit);
      return undefined;
    }
    const opening = this.#opening(shares.keys());
    if (opening === undefined) {
      this.#publish(unit, shares);
      return undefined;
    }
    return this.#later(unit, shares, opening);
  }

  /** What of the messages goes to which queue. */
  #shares(messages: readonly Message[]): Map<string, Share> {
    const shares = new Map<string, Share>();
    for (const { topic, size } of messages) {
      const queues = topic.startsWith(QUEUE_PREFIX) ? [topic.slice(QUEUE_PREFIX.length)] : this.#queues.bound(topic);
      for (const queue of queues) {
        const share = shares.get(queue) ?? { messages: 0, bytes: 0 };
        share.messages++;
        share.bytes += size;
        shares.set(queue, share);
      }
    }
    return shares;
  }

  #opening(queues: Iterable<string>): Promise<unknown> | undefined {
    const waiting = [...queues].flatMap((queue) => this.#queues.ready(queue) ?? []);
    return waiting.length === 0 ? undefined : Promise.all(waiting);
  }

  async #later(unit: Unit, shares: Map<string, Share>, opening: Promise<unknown>): Promise<void> {
    try {
      await opening;
      for (let i = 1; i < TRIES; i++) await this.#opening(shares.keys());
      this.#publish(unit, shares);
    } catch (error) {
      unit.refused(asBrokerError(error));
    }
  }

  #publish(unit: Unit, shares: Map<string, Share>): void {
    const fault = unit.fault() ?? this.#full(shares);
    if (fault !== undefined) {
      unit.refused(fault);
      return;
    }
    if (this.#backbone.together === undefined) {
      this.#log(unit, new UnderWay(unit, false));
      if (unit.messages.length === 0) unit.join();
    } else {
      const refusal = this.#backbone.together(() => {
        this.#log(unit, new UnderWay(unit, true));
        unit.join();
      });
      if (refusal !== undefined) {
        unit.refused(refusal);
        return;
      }
    }
    if (unit.messages.length === 0) unit.done(false);
  }

  #full(shares: Map<string, Share>): BrokerError | undefined {
    for (const [queue, { messages, bytes }] of shares) {
      const fault = this.#queues.full(queue, messages, bytes);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  #log({ messages, durable }: Unit, receiver: AppendReceiver): void {
    for (const message of messages) {
      // In a queue it is as durable as it can be, whatever it says.
      const kept = message.qos > 0 || (!durable && message.topic.startsWith(QUEUE_PREFIX));
      const logged = kept ? message : message.with(1, message.retain);
      this.#router.publish(logged, receiver, 0);
    }
  }

  #live(unit: Unit): void {
    for (const message of unit.messages) this.#router.publish(message, NOBODY, 0);
    unit.join();
    unit.done(false);
  }
}
