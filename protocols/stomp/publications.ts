import type { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import { QUEUE_PREFIX } from '../../src/core/topic.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type { Backlog, Router, Unit } from '../../src/ports/routing.ts';

const DOLLAR = 0x24;

export interface PublicationsOwner {
  /** The message of a SEND is durable. `repeated`: it had been before. */
  receipted(receipt: string, repeated: boolean): void;
  failed(error: BrokerError, receipt: string | undefined): void;
  /** A message that its client asked nothing of was not taken in. */
  dropped(error: BrokerError): void;
  /** Nothing is on its way any more. */
  idle(): void;
}

/** Token of messages that are logged for the sake of others (`Services.logs`): of them the client is not told. */
const UNASKED = -1;

/** Logged messages of one connection on their way to the log. When they are too many, the client is not read from. */
export class Publications implements AppendReceiver {
  /** What a queue does not take is an ERROR, whatever the client asked for (STOMP 1.2, SEND). */
  readonly hearsAll = true;
  readonly #router: Router;
  readonly #backlog: Backlog;
  readonly #owner: PublicationsOwner;
  /** By token: the receipt of a SEND. Messages of which nothing is to be told have token 0. */
  #pending: Map<number, string> | undefined;
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

  /** Whether what is published waits for `release`. */
  get held(): boolean {
    return this.#held !== undefined;
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

  /** `asked`: its client hears of it when it is not taken in. */
  publish(message: Message, asked: boolean): void {
    const token = asked ? 0 : UNASKED;
    if (this.#held === undefined) this.#publish(message, token);
    else this.#later(message, () => this.#publish(message, token));
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

  /** What belongs together. Resolves when it has begun, or was refused; undefined: that is so now. */
  publishAll(unit: Unit): Promise<void> | undefined {
    const held = this.#held;
    if (held !== undefined) {
      return new Promise((resolve) => {
        held.push(() => void (this.publishAll(unit) ?? Promise.resolve()).then(resolve));
      });
    }
    for (const _ of unit.messages) this.#backlog.add();
    return this.#router.publishAll(new Counted(unit, () => this.#arrived(unit.messages.length)));
  }

  #later(message: Message, publish: () => void): void {
    message.keep();
    this.#held?.push(publish);
  }

  #publish(message: Message, token: number): void {
    const { qos, topic } = message;
    if (qos > 0 || (topic.charCodeAt(0) === DOLLAR && topic.startsWith(QUEUE_PREFIX))) this.#backlog.add();
    this.#router.publish(message, this, token);
  }

  appended(token: number, _message: Message, repeated = false): void {
    const receipt = token <= 0 ? undefined : this.#pending?.get(token);
    if (receipt !== undefined) {
      this.#pending?.delete(token);
      this.#owner.receipted(receipt, repeated);
    }
    this.#arrived(1);
  }

  refused(token: number, error: BrokerError): void {
    const receipt = this.#pending?.get(token);
    this.#pending?.delete(token);
    if (token === UNASKED) this.#owner.dropped(error);
    else this.#owner.failed(error, receipt);
    this.#arrived(1);
  }

  #arrived(count: number): void {
    for (let i = 0; i < count; i++) this.#backlog.remove();
    if (this.#backlog.size === 0) this.#owner.idle();
  }
}

/** A unit of which it is known what has become of it. */
class Counted implements Unit {
  readonly messages: readonly Message[];
  readonly durable: boolean;
  readonly #unit: Unit;
  readonly #over: () => void;

  constructor(unit: Unit, over: () => void) {
    this.messages = unit.messages;
    this.durable = unit.durable;
    this.#unit = unit;
    this.#over = over;
  }

  fault(): BrokerError | undefined {
    return this.#unit.fault();
  }

  join(): void {
    this.#unit.join();
  }

  done(repeated: boolean): void {
    this.#unit.done(repeated);
    this.#over();
  }

  refused(error: BrokerError): void {
    this.#unit.refused(error);
    this.#over();
  }
}
