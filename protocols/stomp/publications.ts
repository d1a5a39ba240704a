import type { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type { Backlog, Router } from '../../src/ports/routing.ts';
import type { HeldAck } from './transactions.ts';

/** What is to be done once all of a frame's messages are durable. */
export interface Completion {
  /** For the RECEIPT, as in the frame. */
  readonly receipt: string | undefined;
  /** ACKs and NACKs of a transaction: after its messages, so that nothing is lost between. */
  readonly acks: readonly HeldAck[];
}

export interface PublicationsOwner {
  /** The message of a SEND is durable. `repeated`: it had been before. */
  receipted(receipt: string, repeated: boolean): void;
  completed(completion: Completion, repeated: boolean): void;
  failed(error: BrokerError, receipt: string | undefined): void;
  /** Nothing is on its way any more. */
  idle(): void;
}

interface Pending {
  left: number;
  /** All messages so far had been taken in before. */
  repeated: boolean;
  readonly completion: Completion;
}

/** Logged messages of one connection on their way to the log. When they are too many, the client is not read from. */
export class Publications implements AppendReceiver {
  readonly #router: Router;
  readonly #backlog: Backlog;
  readonly #owner: PublicationsOwner;
  /** By token: the receipt of a SEND, or what belongs to several. Messages of which nothing is to be told have token 0. */
  #pending: Map<number, string | Pending> | undefined;
  /** What was sent while something is waited for that comes before it; undefined: nothing is. */
  #held: (() => void)[] | undefined;
  #lastToken = 0;

  constructor(router: Router, backlog: Backlog, owner: PublicationsOwner) {
    this.#router = router;
    this.#backlog = backlog;
    this.#owner = owner;
  }

  get underWay(): number {
    return this.#backlog.size + (this.#held?.length ?? 0);
  }

  /** Whether the connection is not read from because of them. */
  get paused(): boolean {
    return this.#backlog.paused;
  }

  /** What is published from now on waits for `release`. */
  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const publish of held) publish();
  }

  publish(message: Message): void {
    if (this.#held === undefined) this.#publish(message, 0);
    else this.#later(message, () => this.#publish(message, 0));
  }

  /** A logged message, and its receipt when it is durable. */
  publishReceipted(message: Message, receipt: string): void {
    if (this.#held !== undefined) {
      this.#later(message, () => this.publishReceipted(message, receipt));
      return;
    }
    const token = ++this.#lastToken;
    this.#pending ??= new Map();
    this.#pending.set(token, receipt);
    this.#publish(message, token);
  }

  /** Publishes them in order; `completion` follows when all that are logged are durable, at once when none is. */
  publishAll(messages: readonly Message[], completion: Completion): void {
    if (this.#held !== undefined) {
      // Those of transactions are kept already.
      this.#held.push(() => this.publishAll(messages, completion));
      return;
    }
    let logged = 0;
    for (const message of messages) if (message.qos > 0) logged++;
    const token = logged > 0 ? ++this.#lastToken : 0;
    if (logged > 0) {
      this.#pending ??= new Map();
      this.#pending.set(token, { left: logged, repeated: true, completion });
    }
    for (const message of messages) this.#publish(message, token);
    if (logged === 0) this.#owner.completed(completion, false);
  }

  #later(message: Message, publish: () => void): void {
    message.keep();
    this.#held?.push(publish);
  }

  #publish(message: Message, token: number): void {
    if (message.qos > 0) this.#backlog.add();
    this.#router.publish(message, this, token);
  }

  appended(token: number, _message: Message, repeated = false): void {
    const pending = token === 0 ? undefined : this.#pending?.get(token);
    if (typeof pending === 'string') {
      this.#pending?.delete(token);
      this.#owner.receipted(pending, repeated);
    } else if (pending !== undefined) {
      pending.repeated &&= repeated;
      if (--pending.left === 0) {
        this.#pending?.delete(token);
        this.#owner.completed(pending.completion, pending.repeated);
      }
    }
    this.#arrived();
  }

  refused(token: number, error: BrokerError): void {
    const pending = this.#pending?.get(token);
    this.#pending?.delete(token);
    this.#owner.failed(error, typeof pending === 'string' ? pending : pending?.completion.receipt);
    this.#arrived();
  }

  #arrived(): void {
    this.#backlog.remove();
    if (this.#backlog.size === 0) this.#owner.idle();
  }
}
