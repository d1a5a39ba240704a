import { asBrokerError, BrokerError } from '../../core/errors.ts';
import type { Message } from '../../core/message.ts';
import type { AppendReceiver } from '../../ports/backbone.ts';
import type { Consumer, Delivery, Outcome } from '../../ports/queues.ts';
import type { Hold } from './attachment.ts';
import type { Answer, Call } from './calls.ts';
import { type Asked, readAsked, TellWriter, type Wanted } from './codec.ts';
import type { LinkContext } from './owner-link.ts';
import { Moved } from './ownership.ts';
import { KIND, Outbound, type Packet, restartPacket } from './packets.ts';

/** What an owner does for other nodes. Each thing fails with `Moved` when this node turns out not to be the owner. */
export interface Services {
  consume(wanted: Wanted, consumer: Consumer): Promise<Hold>;
  mine(wanted: Wanted): boolean;
  mineQueue(queue: string): boolean;
  push(queue: string, message: Message, receiver: AppendReceiver, token: number): void;
  call(asked: Call): Promise<Answer>;
}

/** Bytes of deliveries on their way to the node; no more are sent until it says that they have come. */
const ON_THE_WAY = 8 * 1024 * 1024;

/** Another node that has clients for what this one owns. */
export class GuestLink implements Asked, AppendReceiver {
  readonly tell: TellWriter;
  readonly #node: string;
  readonly #context: LinkContext;
  readonly #services: Services;
  readonly #out: Outbound;
  readonly #consumers = new Map<number, GuestConsumer>();
  #session = 0;
  /** Number of the next packet of this session. */
  #next = 0;
  /** A packet of the session is missing: what comes after it is not read. */
  #broken = false;
  #closed = false;
  /** The highest push so far. One that comes a second time has been taken in, or is about to be. */
  #highest = 0;
  readonly #underWay = new Map<number, string>();
  /** Of pushes that were not simply stored, as long as the other node may ask again. */
  readonly #outcomes = new Map<number, BrokerError | 'repeated'>();
  #sent = 0;
  #heard = 0;

  constructor(node: string, context: LinkContext, services: Services) {
    this.#node = node;
    this.#context = context;
    this.#services = services;
    this.#out = new Outbound(node, KIND.tell, context.cluster, context.clock, () => 0);
    this.tell = new TellWriter(this.#out);
  }

  received(packet: Packet): void {
    if (packet.session < this.#session || this.#closed) return;
    if (packet.session > this.#session) this.#begin(packet.session);
    if (this.#broken) return;
    if (packet.number !== this.#next) {
      this.restart();
      return;
    }
    this.#next++;
    for (const number of this.#outcomes.keys()) {
      if (number >= packet.answered) break;
      this.#outcomes.delete(number);
    }
    readAsked(packet.frames, this);
  }

  #begin(session: number): void {
    this.#end();
    this.#session = session;
    this.#broken = false;
    this.#next = 0;
    this.#out.begin(session);
    this.#sent = 0;
    this.#heard = 0;
  }

  /** What was sent in this session, or to this node, may be lost. */
  restart(): void {
    this.#broken = true;
    this.#end();
    this.#context.cluster.send(this.#node, restartPacket(this.#session));
  }

  close(): void {
    this.#closed = true;
    this.#out.close();
    this.#end();
  }

  #end(): void {
    const consumers = [...this.#consumers.values()];
    this.#consumers.clear();
    for (const consumer of consumers) consumer.interrupted();
  }

  room(): boolean {
    return this.#sent - this.#heard < ON_THE_WAY;
  }

  heard(bytes: number): void {
    const full = !this.room();
    this.#heard = Math.min(bytes, this.#sent);
    if (full && this.room()) for (const consumer of this.#consumers.values()) consumer.pump();
  }

  deliver(consumer: number, message: Message, delivery: Delivery): void {
    this.#sent += message.weight;
    this.tell.deliver(consumer, message, delivery);
  }

  consume(number: number, wanted: Wanted): void {
    const consumer = new GuestConsumer(number, wanted, this, this.#services);
    this.#consumers.set(number, consumer);
    void consumer.attach();
  }

  /** The consumer has ended; the other node is told, and looks for the owner where that is another one by now. */
  ended(number: number, wanted: Wanted, error: BrokerError): void {
    if (!this.#consumers.delete(number)) return;
    this.tell.ended(number, error.code === 'unavailable' && !this.#services.mine(wanted) ? new Moved() : error);
  }

  cancel(number: number, forget: boolean | undefined): void {
    const consumer = this.#consumers.get(number);
    this.#consumers.delete(number);
    consumer?.cancel(forget);
  }

  settle(number: number, delivery: number, outcome: Outcome, delay: number | undefined): void {
    this.#consumers.get(number)?.settle(delivery, outcome, delay);
  }

  flush(number: number, flush: number): void {
    const settled = this.#consumers.get(number)?.settled() ?? Promise.reject(new Moved());
    settled.then(
      () => this.tell.flushed(flush, undefined),
      (error: unknown) => this.tell.flushed(flush, asBrokerError(error)),
    );
  }

  push(number: number, queue: string, message: Message): void {
    if (number > this.#highest) {
      this.#highest = number;
      this.#underWay.set(number, queue);
      this.#services.push(queue, message, this, number);
      return;
    }
    if (this.#underWay.has(number)) return;
    const outcome = this.#outcomes.get(number);
    if (outcome instanceof BrokerError) this.tell.refused(number, outcome);
    else this.tell.pushed(number, outcome !== undefined);
  }

  appended(token: number, _message: Message, repeated?: boolean): void {
    this.#underWay.delete(token);
    if (repeated === true) this.#outcomes.set(token, 'repeated');
    this.tell.pushed(token, repeated === true);
  }

  refused(token: number, error: BrokerError): void {
    const queue = this.#underWay.get(token) ?? '';
    this.#underWay.delete(token);
    const outcome = error.code === 'unavailable' && !this.#services.mineQueue(queue) ? new Moved() : error;
    this.#outcomes.set(token, outcome);
    this.tell.refused(token, outcome);
  }

  call(number: number, asked: Call): void {
    this.#services.call(asked).then(
      (answer) => this.tell.answered(number, answer),
      (error: unknown) => this.tell.answered(number, asBrokerError(error)),
    );
  }
}

/** A consumer of another node, as the queue or group here knows it. */
class GuestConsumer implements Consumer {
  readonly #number: number;
  readonly #wanted: Wanted;
  readonly #link: GuestLink;
  readonly #services: Services;
  #hold: Hold | undefined;
  #over = false;
  /** What is done with its hold, once that is there, when it is over. */
  #leave: (hold: Hold) => void = (hold) => hold.cancel();

  constructor(number: number, wanted: Wanted, link: GuestLink, services: Services) {
    this.#number = number;
    this.#wanted = wanted;
    this.#link = link;
    this.#services = services;
  }

  async attach(): Promise<void> {
    try {
      const hold = await this.#services.consume(this.#wanted, this);
      if (this.#over) {
        hold.opened.catch(() => {});
        this.#leave(hold);
        return;
      }
      this.#hold = hold;
      await hold.opened;
      if (this.#over) return;
      this.#link.tell.opened(this.#number);
      hold.pump();
    } catch (error) {
      this.ended(asBrokerError(error));
    }
  }

  ready(): boolean {
    return this.#hold !== undefined && !this.#over && this.#link.room();
  }

  take(message: Message, delivery: Delivery): void {
    this.#link.deliver(this.#number, message, delivery);
  }

  ended(error: BrokerError): void {
    if (this.#over) return;
    this.#over = true;
    this.#link.ended(this.#number, this.#wanted, error);
  }

  settle(delivery: number, outcome: Outcome, delay: number | undefined): void {
    this.#hold?.settle(delivery, outcome, delay);
  }

  settled(): Promise<void> {
    return this.#hold?.settled() ?? Promise.reject(new Moved());
  }

  pump(): void {
    this.#hold?.pump();
  }

  /** It is not known whether it is still there. */
  interrupted(): void {
    this.#end((hold) => (hold.interrupted === undefined ? hold.cancel() : hold.interrupted()));
  }

  cancel(forget: boolean | undefined): void {
    this.#end((hold) => (forget === undefined || hold.leave === undefined ? hold.cancel() : hold.leave(forget)));
  }

  #end(leave: (hold: Hold) => void): void {
    if (this.#over) return;
    this.#over = true;
    this.#leave = leave;
    if (this.#hold !== undefined) leave(this.#hold);
  }
}
