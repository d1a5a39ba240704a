import { asBrokerError, BrokerError } from '../../core/errors.ts';
import type { Message } from '../../core/message.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { Consumer, Consumption, Delivery, Membership, Outcome } from '../../ports/queues.ts';
import { Interrupted, Moved } from './ownership.ts';

/** A consumer's hold at the owner, which may be this node; `leave` where it is a group that is consumed. */
export type Hold = Consumption & Partial<Pick<Membership, 'leave'>>;

/** What is consumed, whichever node has it. */
export interface Subject {
  find(): Promise<string>;
  /** Begins to consume it at that node. */
  attach(node: string, consumer: Consumer): Hold;
  /** That node does not have it any more. */
  moved(node: string): void;
  /** It was asked to be consumed at the owner that was found, or that was not found. */
  sought?(): void;
}

/** Milliseconds until the owner is looked for again: twice as long each time, up to the second. */
const RETRY = 100;
const RETRY_MOST = 5_000;

/**
 * A client's consumer, as long as the client wants it: at one owner after the other. The client notices nothing of a new
 * one but that messages it had from the old one, and had not settled there, come again.
 */
export class Attachment implements Membership {
  readonly opened: Promise<void>;
  readonly consumer: Consumer;
  readonly #subject: Subject;
  readonly #clock: Clock;
  #state: 'opening' | 'open' | 'closed' = 'opening';
  #stay: Stay | undefined;
  /** The highest number of a delivery so far. */
  #last = 0;
  #tries = 0;
  #timer: Timer | undefined;
  #open: () => void = () => {};
  #refuse: (error: BrokerError) => void = () => {};
  /** Settlements by number: made; of which `settled` has told what became of them; of which that is not known. */
  #made = 0;
  #told = 0;
  #doubtful = 0;

  constructor(consumer: Consumer, subject: Subject, clock: Clock) {
    this.consumer = consumer;
    this.#subject = subject;
    this.#clock = clock;
    this.opened = new Promise((open, refuse) => {
      this.#open = open;
      this.#refuse = refuse;
    });
    // Not everyone waits for it; `ended` says the same.
    this.opened.catch(() => {});
    this.#seek();
  }

  settle(delivery: number, outcome: Outcome, delay?: number): void {
    this.#made++;
    const stay = this.#stay;
    if (stay !== undefined && delivery > stay.base) stay.hold?.settle(delivery - stay.base, outcome, delay);
    // An owner that is gone gave it: the message comes again, wherever it went.
    else this.#doubtful = this.#made;
  }

  /** What an owner that is gone gave comes again elsewhere. */
  holds(delivery: number): boolean {
    const stay = this.#stay;
    return stay !== undefined && delivery > stay.base && (stay.hold?.holds(delivery - stay.base) ?? false);
  }

  settled(): Promise<void> {
    const made = this.#made;
    const hold = this.#stay?.hold;
    if (this.#doubtful <= this.#told) {
      if (made === this.#told) return Promise.resolve();
      const told = (): void => {
        this.#told = Math.max(this.#told, made);
      };
      if (hold !== undefined) {
        return hold.settled().then(told, (error: unknown) => {
          told();
          throw error;
        });
      }
    }
    this.#told = made;
    return Promise.reject(
      new BrokerError('unavailable', 'the node that gave the messages is gone: what was settled may come again'),
    );
  }

  pump(): void {
    this.#stay?.hold?.pump();
  }

  cancel(): void {
    this.#close((hold) => hold.cancel());
  }

  leave(forget: boolean): void {
    this.#close((hold) => (hold.leave === undefined ? hold.cancel() : hold.leave(forget)));
  }

  /** What the client calls it by, of a delivery that the present owner calls `number`. */
  gave(number: number): void {
    this.#last = number;
  }

  /** The present owner has ended or refused it. */
  left(node: string, error: BrokerError): void {
    this.#stay = undefined;
    if (this.#made > this.#told) this.#doubtful = this.#made;
    if (error instanceof Moved && !(error instanceof Interrupted)) this.#subject.moved(node);
    this.#failed(error);
  }

  #close(leave: (hold: Hold) => void): void {
    if (this.#state === 'closed') return;
    // Nobody is told any more, but nobody waits for ever either.
    this.#open();
    this.#state = 'closed';
    this.#timer?.cancel();
    const stay = this.#stay;
    this.#stay = undefined;
    if (stay === undefined) return;
    stay.over = true;
    if (stay.hold !== undefined) leave(stay.hold);
  }

  #seek(): void {
    this.#timer = undefined;
    this.#subject
      .find()
      .then(
        (node) => this.#attach(node),
        (error: unknown) => this.#failed(asBrokerError(error)),
      )
      .finally(() => this.#subject.sought?.());
  }

  #attach(node: string): void {
    if (this.#state === 'closed') return;
    const stay = new Stay(this, node, this.#last);
    this.#stay = stay;
    const hold = this.#subject.attach(node, stay);
    hold.opened.then(
      () => {
        if (!stay.over) this.#opened();
      },
      (error: unknown) => stay.ended(asBrokerError(error)),
    );
    if (stay.over) return;
    stay.hold = hold;
    hold.pump();
  }

  #opened(): void {
    this.#state = 'open';
    this.#tries = 0;
    this.#open();
  }

  #failed(error: BrokerError): void {
    if (this.#state === 'closed') return;
    const moved = error instanceof Moved;
    if (moved || (this.#state === 'open' && error.code === 'unavailable')) {
      const delay = moved && this.#tries === 0 ? 0 : Math.min(RETRY * 2 ** this.#tries, RETRY_MOST);
      this.#tries++;
      this.#timer = this.#clock.schedule(delay, () => this.#seek());
      return;
    }
    const opening = this.#state === 'opening';
    this.#state = 'closed';
    if (opening) this.#refuse(error);
    this.consumer.ended(error);
  }
}

/** The time at one owner: what that one knows as the consumer. */
class Stay implements Consumer {
  hold: Hold | undefined;
  over = false;
  /** Deliveries up to this number are those of earlier owners; this one's are numbered from here. */
  readonly base: number;
  readonly #attachment: Attachment;
  readonly #node: string;

  constructor(attachment: Attachment, node: string, base: number) {
    this.#attachment = attachment;
    this.#node = node;
    this.base = base;
  }

  ready(): boolean {
    return this.hold !== undefined && !this.over && this.#attachment.consumer.ready();
  }

  take(message: Message, delivery: Delivery): void {
    const number = this.base + delivery.number;
    this.#attachment.gave(number);
    const { count, redelivered } = delivery;
    this.#attachment.consumer.take(message, this.base === 0 ? delivery : { number, count, redelivered });
  }

  ended(error: BrokerError): void {
    if (this.over) return;
    this.over = true;
    this.#attachment.left(this.#node, error);
  }
}
