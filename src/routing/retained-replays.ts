import type { Message } from '../core/message.ts';
import type { Subscription } from '../ports/routing.ts';

/** Gives the retained messages of a subscription to `visit`. */
export type RetainedOf = (visit: (message: Message) => void) => void;

/** One whose messages are being sent. */
interface Turn {
  readonly of: readonly [Subscription];
  readonly messages: readonly Message[];
  next: number;
}

interface Waiting {
  readonly subscriptions: readonly [Subscription];
  readonly match: RetainedOf;
}

/**
 * Retained messages of new subscriptions, on their way to one client. They are looked up when their turn has come: what waits
 * is one entry for each subscription, however often that was made again meanwhile, and the messages of one.
 */
export class RetainedReplays {
  readonly #waiting = new Map<string, Waiting>();
  #current: Turn | undefined;

  get empty(): boolean {
    return this.#current === undefined && this.#waiting.size === 0;
  }

  add(subscription: Subscription, match: RetainedOf): void {
    this.#waiting.set(keyOf(subscription), { subscriptions: [subscription], match });
  }

  /** Who subscribes and unsubscribes to ever other filters leaves nothing here. */
  remove(subscription: Subscription): void {
    this.#waiting.delete(keyOf(subscription));
  }

  clear(): void {
    this.#waiting.clear();
    this.#current = undefined;
  }

  /** Sends as long as `ready` says so. */
  drain(ready: () => boolean, send: (message: Message, subscriptions: readonly Subscription[]) => void): void {
    while (!this.empty && ready()) {
      const current = this.#current ?? this.#turn();
      const message = current?.messages[current.next++];
      if (current === undefined || current.next >= current.messages.length) this.#current = undefined;
      if (current !== undefined && message !== undefined) send(message, current.of);
    }
  }

  #turn(): Turn | undefined {
    for (const [key, { subscriptions, match }] of this.#waiting) {
      this.#waiting.delete(key);
      const messages: Message[] = [];
      match((message) => messages.push(message));
      this.#current = { of: subscriptions, messages, next: 0 };
      break;
    }
    return this.#current;
  }
}

function keyOf({ filter, id }: Subscription): string {
  return `${filter}\0${id}`;
}
