import { BrokerError } from '../../core/errors.ts';
import { Fifo } from '../../core/fifo.ts';
import type { Message } from '../../core/message.ts';
import type { AppendReceiver, Cluster } from '../../ports/backbone.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { Consumer, Delivery } from '../../ports/queues.ts';
import type { Logger } from '../../ports/routing.ts';
import { type Answer, type Call, repeatable } from './calls.ts';
import { AskWriter, readTold, type Told, type Wanted } from './codec.ts';
import { Interrupted } from './ownership.ts';
import { KIND, Outbound, type Packet } from './packets.ts';
import { RemoteHold } from './remote-hold.ts';

/** A message on its way to the node that has its queue. */
export interface Push {
  readonly queue: string;
  readonly message: Message;
  readonly receiver: AppendReceiver;
  readonly token: number;
  /** It came from another node, which looks for the owner itself when it is not this one. */
  readonly foreign: boolean;
  /** How often a node has given it back, because it was not the owner. */
  bounces: number;
}

export interface PushResults {
  pushed(push: Push, repeated: boolean, link: OwnerLink): void;
  /** With `Moved`: the owner that this link leads to is none. */
  refused(push: Push, error: BrokerError, link: OwnerLink): void;
}

export interface LinkContext {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ascends over all links, so that no other one begins again at a number that the owner has seen. */
  next(): number;
  /** It turned out that a node is gone. */
  lost(node: string): void;
}

interface PendingCall {
  readonly asked: Call;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: BrokerError) => void;
}

interface PendingFlush {
  readonly resolve: () => void;
  readonly reject: (error: BrokerError) => void;
}

/** Bytes (`Message.weight`) of messages sent to an owner and not answered; more wait here, in order. */
const IN_FLIGHT = 8 * 1024 * 1024;
/** Bytes of deliveries after which the owner is told that they have come. */
const HEARD = 256 * 1024;
/** Milliseconds in which the owner answers a new session; twice as long each time, up to the second. */
const BEGIN = 2_000;
const BEGIN_MOST = 30_000;

/** The way to another node that owns queues and groups: what clients of this node have there. */
export class OwnerLink implements Told {
  readonly node: string;
  readonly ask: AskWriter;
  readonly #context: LinkContext;
  readonly #results: PushResults;
  readonly #out: Outbound;
  /** Number of the owner's next packet in this session. */
  #next = 0;
  readonly #holds = new Map<number, RemoteHold>();
  readonly #flushes = new Map<number, PendingFlush>();
  readonly #calls = new Map<number, PendingCall>();
  /** Sent and not answered, by their numbers, in order. */
  readonly #pushes = new Map<number, Push>();
  readonly #waiting = new Fifo<Push>();
  #inFlight = 0;
  #session = 0;
  #begun = false;
  #wait = BEGIN;
  #timer: Timer | undefined;
  #closed = false;
  /** Bytes of deliveries in this session, and how many of them the owner knows of. */
  #received = 0;
  #heard = 0;

  constructor(node: string, context: LinkContext, results: PushResults) {
    this.node = node;
    this.#context = context;
    this.#results = results;
    this.#out = new Outbound(node, KIND.ask, context.cluster, context.clock, () => this.#lowest());
    this.ask = new AskWriter(this.#out);
    this.begin();
  }

  /** Begins a session: all that was not answered is asked for again. */
  begin(): void {
    if (this.#closed) return;
    this.#session = this.#context.next();
    this.#begun = false;
    this.#out.begin(this.#session);
    this.#next = 0;
    this.#received = 0;
    this.#heard = 0;
    for (const [number, { queue, message }] of this.#pushes) this.ask.push(number, queue, message);
    this.#interrupt();
    this.#timer?.cancel();
    this.#timer = this.#context.clock.schedule(this.#wait, () => this.#unanswered());
  }

  /** Nothing is said about it; whoever it was for looks for the owner again, or is told that nothing is known. */
  #interrupt(): void {
    const [holds, flushes, calls] = [[...this.#holds.values()], [...this.#flushes.values()], [...this.#calls.values()]];
    this.#holds.clear();
    this.#flushes.clear();
    this.#calls.clear();
    for (const hold of holds) hold.end(new Interrupted());
    for (const { reject } of flushes) {
      reject(new BrokerError('unavailable', 'what was settled may come again: the way to its node was interrupted'));
    }
    for (const { asked, reject } of calls) {
      if (repeatable(asked)) reject(new Interrupted());
      else reject(new BrokerError('unavailable', 'the way to the queue was interrupted: it may have been done'));
    }
  }

  #unanswered(): void {
    if (!this.#context.cluster.alive(this.node)) {
      this.#context.lost(this.node);
      return;
    }
    this.#wait = Math.min(this.#wait * 2, BEGIN_MOST);
    this.begin();
  }

  /** The node is gone, or this one stops: gives back what was not answered, in order. */
  close(): Push[] {
    this.#closed = true;
    this.#timer?.cancel();
    this.#out.close();
    const pushes = [...this.#pushes.values(), ...this.#waiting];
    this.#pushes.clear();
    this.#waiting.clear();
    this.#interrupt();
    return pushes;
  }

  received(packet: Packet): void {
    if (packet.session !== this.#session || this.#closed) return;
    if (packet.kind === KIND.restart || packet.number !== this.#next) {
      this.begin();
      return;
    }
    this.#next++;
    if (!this.#begun) {
      this.#begun = true;
      this.#wait = BEGIN;
      this.#timer?.cancel();
    }
    readTold(packet.frames, this);
  }

  consume(wanted: Wanted, consumer: Consumer): RemoteHold {
    const number = this.#context.next();
    const hold = new RemoteHold(number, consumer, this);
    if (this.#closed) {
      hold.end(new Interrupted());
      return hold;
    }
    this.#holds.set(number, hold);
    this.ask.consume(number, wanted);
    return hold;
  }

  /** Of a hold that wants nothing more. */
  cancel(consumer: number, forget: boolean | undefined): void {
    if (this.#holds.delete(consumer)) this.ask.cancel(consumer, forget);
  }

  flush(consumer: number): Promise<void> {
    const number = this.#context.next();
    this.ask.flush(consumer, number);
    return new Promise((resolve, reject) => this.#flushes.set(number, { resolve, reject }));
  }

  call(asked: Call): Promise<Answer> {
    if (this.#closed) return Promise.reject(new Interrupted());
    const number = this.#context.next();
    this.ask.call(number, asked);
    return new Promise((resolve, reject) => this.#calls.set(number, { asked, resolve, reject }));
  }

  push(push: Push): void {
    if (this.#inFlight > IN_FLIGHT || this.#waiting.size > 0) this.#waiting.push(push);
    else this.#send(push);
  }

  /** How many messages for the queue are not answered; those that were not sent are given back, in order. */
  withdraw(queue: string): { readonly left: number; readonly unsent: readonly Push[] } {
    let left = 0;
    for (const push of this.#pushes.values()) if (push.queue === queue) left++;
    const all = [...this.#waiting];
    this.#waiting.clear();
    for (const push of all) if (push.queue !== queue) this.#waiting.push(push);
    return { left, unsent: all.filter((push) => push.queue === queue) };
  }

  #send(push: Push): void {
    const number = this.#context.next();
    this.#pushes.set(number, push);
    this.#inFlight += push.message.weight;
    this.ask.push(number, push.queue, push.message);
  }

  #answered(number: number): Push | undefined {
    const push = this.#pushes.get(number);
    if (push === undefined) return undefined;
    this.#pushes.delete(number);
    this.#inFlight -= push.message.weight;
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      if (this.#inFlight > IN_FLIGHT) break;
      this.#waiting.shift();
      this.#send(next);
    }
    return push;
  }

  #lowest(): number {
    for (const number of this.#pushes.keys()) return number;
    return Number.MAX_SAFE_INTEGER;
  }

  opened(consumer: number): void {
    this.#holds.get(consumer)?.open();
  }

  ended(consumer: number, error: BrokerError): void {
    const hold = this.#holds.get(consumer);
    this.#holds.delete(consumer);
    hold?.end(error);
  }

  deliver(consumer: number, message: Message, delivery: Delivery): void {
    this.#received += message.weight;
    if (this.#received - this.#heard >= HEARD) {
      this.#heard = this.#received;
      this.ask.heard(this.#received);
    }
    this.#holds.get(consumer)?.deliver(message, delivery);
  }

  flushed(flush: number, error: BrokerError | undefined): void {
    const pending = this.#flushes.get(flush);
    this.#flushes.delete(flush);
    if (error === undefined) pending?.resolve();
    else pending?.reject(error);
  }

  pushed(number: number, repeated: boolean): void {
    const push = this.#answered(number);
    if (push !== undefined) this.#results.pushed(push, repeated, this);
  }

  refused(number: number, error: BrokerError): void {
    const push = this.#answered(number);
    if (push !== undefined) this.#results.refused(push, error, this);
  }

  answered(call: number, answer: Answer | BrokerError): void {
    const pending = this.#calls.get(call);
    this.#calls.delete(call);
    if (answer instanceof Error) pending?.reject(answer);
    else pending?.resolve(answer);
  }
}
