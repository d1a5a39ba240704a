import type { Message } from '../core/message.ts';
import type { AppendReceiver } from '../ports/backbone.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Router, Wills } from '../ports/routing.ts';

/** Publishes wills, at once or after their delay. A will waits under its session's key, and its return cancels it. */
export class DelayedWills implements Wills, AppendReceiver {
  readonly #waiting = new Map<string, { readonly will: Message; readonly timer: Timer }>();
  readonly #router: Router;
  readonly #clock: Clock;

  constructor(router: Router, clock: Clock) {
    this.#router = router;
    this.#clock = clock;
  }

  publish(key: string, will: Message, delay: number): void {
    this.cancel(key);
    if (delay <= 0) {
      this.#router.publish(will, this, 0);
      return;
    }
    this.#waiting.set(key, { will, timer: this.#clock.schedule(delay, () => this.release(key)) });
  }

  cancel(key: string): void {
    this.#waiting.get(key)?.timer.cancel();
    this.#waiting.delete(key);
  }

  release(key: string): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    this.cancel(key);
    this.#router.publish(waiting.will, this, 0);
  }

  stop(): void {
    for (const { timer } of this.#waiting.values()) timer.cancel();
    this.#waiting.clear();
  }

  appended(): void {}
  refused(): void {}
}
