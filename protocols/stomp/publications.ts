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

/** Flags in a token. It was logged for the sake of others (`Services.logs`), or of the order: the client is not told of it. */
const UNASKED = 1;
/** It goes to a topic by the log. */
const LOGGED = 2;
/** What tokens of receipts differ by. */
const STEP = 4;

/** Logged messages of one connection on their way to the log. When they are too many, the client is not read from. */
export class Publications implements AppendReceiver {
  /** What a queue does not take is an ERROR, whatever the client asked for (STOMP 1.2, SEND). */
  readonly hearsAll = true;
  readonly #router: Router;
  readonly #backlog: Backlog;
  readonly #owner: PublicationsOwner;
  /** By token: the receipt of a SEND. Tokens below STEP are of messages that have none. */
  #pending: Map<number, string> | undefined;
  /** What was sent while something is waited for that comes before it; undefined: nothing is. */
  #held: (() => void)[] | undefined;
  #lastToken = 0;
  /** How many are on their way to topics by the log: what is sent live would overtake them. */
  #logged = 0;

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
    if (this.#held !== undefined) {
      this.#later(message, () => this.publish(message, asked));
      return;
    }
    // Messages of one client to one topic stay in their order.
    const overtakes = this.#logged > 0 && message.qos === 0 && !isQueued(message);
    if (overtakes) this.#publish(message.with(1, message.retain), UNASKED);
    else this.#publish(message, asked ? 0 : UNASKED);
  }

  /** A logged message, and its receipt when it is durable. */
  publishReceipted(message: Message, receipt: string): void {
    if (this.#held !== undefined) {
      this.#later(message, () => this.publishReceipted(message, receipt));
      return;
    }
    this.#lastToken += STEP;
    this.#pending ??= new Map();
    this.#pending.set(this.#lastToken, receipt);
    this.#publish(message, this.#lastToken);
  }

  /** What belongs together. Resolves when it has begun, or was refused; undefined: that is so now. */
  publishAll(unit: Unit): Promise<void> | undefined {
    const held = this.#held;
    if (held !== undefined) {
      return new Promise((resolve) => {
        held.push(() => void (this.publishAll(unit) ?? Promise.resolve()).then(resolve));
      });
    }
    const { length } = unit.messages;
    const counted = new Counted(unit, this.#logged > 0, () => this.#arrived(length, length));
    this.#logged += length;
    for (const _ of unit.messages) this.#backlog.add();
    return this.#router.publishAll(counted);
  }

  #later(message: Message, publish: () => void): void {
    message.keep();
    this.#held?.push(publish);
  }

  #publish(message: Message, token: number): void {
    const queued = isQueued(message);
    const logged = message.qos > 0 && !queued;
    if (logged) this.#logged++;
    if (logged || queued) this.#backlog.add();
    this.#router.publish(message, this, logged ? token + LOGGED : token);
  }

  appended(token: number, _message: Message, repeated = false): void {
    const receipt = this.#settle(token);
    if (receipt !== undefined) this.#owner.receipted(receipt, repeated);
    this.#arrived(1, token & LOGGED ? 1 : 0);
  }

  refused(token: number, error: BrokerError): void {
    const receipt = this.#settle(token);
    if (token & UNASKED) this.#owner.dropped(error);
    else this.#owner.failed(error, receipt);
    this.#arrived(1, token & LOGGED ? 1 : 0);
  }

  /** The receipt it is waited for with. */
  #settle(token: number): string | undefined {
    if (token < STEP) return undefined;
    const key = token - (token % STEP);
    const receipt = this.#pending?.get(key);
    this.#pending?.delete(key);
    return receipt;
  }

  #arrived(count: number, logged: number): void {
    this.#logged -= logged;
    for (let i = 0; i < count; i++) this.#backlog.remove();
    if (this.#backlog.size === 0) this.#owner.idle();
  }
}

function isQueued({ topic }: Message): boolean {
  return topic.charCodeAt(0) === DOLLAR && topic.startsWith(QUEUE_PREFIX);
}

/** A unit of which it is known what has become of it. */
class Counted implements Unit {
  readonly messages: readonly Message[];
  readonly durable: boolean;
  readonly #unit: Unit;
  readonly #over: () => void;

  /** `logged`: what it would overtake if it were live is on its way. */
  constructor(unit: Unit, logged: boolean, over: () => void) {
    this.messages = unit.messages;
    this.durable = unit.durable || logged;
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
