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
  completed(completion: Completion): void;
  failed(error: BrokerError, completion: Completion | undefined): void;
  /** Nothing is on its way any more. */
  idle(): void;
}

interface Pending {
  left: number;
  readonly completion: Completion;
}

/** Logged messages of one connection on their way to the log. When they are too many, the client is not read from. */
export class Publications implements AppendReceiver {
  readonly #router: Router;
  readonly #backlog: Backlog;
  readonly #owner: PublicationsOwner;
  /** By token; messages without a completion have token 0. */
  #pending: Map<number, Pending> | undefined;
  #lastToken = 0;

  constructor(router: Router, backlog: Backlog, owner: PublicationsOwner) {
    this.#router = router;
    this.#backlog = backlog;
    this.#owner = owner;
  }

  get underWay(): number {
    return this.#backlog.size;
  }

  /** Whether the connection is not read from because of them. */
  get paused(): boolean {
    return this.#backlog.paused;
  }

  publish(message: Message): void {
    this.#publish(message, 0);
  }

  /** Publishes them in order; `completion` follows when all that are logged are durable, at once when none is. */
  publishAll(messages: readonly Message[], completion: Completion): void {
    let logged = 0;
    for (const message of messages) if (message.qos > 0) logged++;
    const token = logged > 0 ? ++this.#lastToken : 0;
    if (logged > 0) {
      this.#pending ??= new Map();
      this.#pending.set(token, { left: logged, completion });
    }
    for (const message of messages) this.#publish(message, token);
    if (logged === 0) this.#owner.completed(completion);
  }

  #publish(message: Message, token: number): void {
    if (message.qos > 0) this.#backlog.add();
    this.#router.publish(message, this, token);
  }

  appended(token: number): void {
    const pending = this.#pending?.get(token);
    if (pending !== undefined && --pending.left === 0) {
      this.#pending?.delete(token);
      this.#owner.completed(pending.completion);
    }
    this.#arrived();
  }

  refused(token: number, error: BrokerError): void {
    const pending = this.#pending?.get(token);
    this.#pending?.delete(token);
    this.#owner.failed(error, pending?.completion);
    this.#arrived();
  }

  #arrived(): void {
    this.#backlog.remove();
    if (this.#backlog.size === 0) this.#owner.idle();
  }
}
