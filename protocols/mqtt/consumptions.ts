import type { BrokerError } from '../../src/core/errors.ts';
import { kindOf } from './filters.ts';
import { type ConsumeOptions, Holding, type HoldingContext } from './holding.ts';
import { sameWishes } from './wishes.ts';

export interface ConsumptionContext extends HoldingContext {
  /** A subscription ended, for which MQTT has no message. */
  ended(filter: string, error: BrokerError): void;
}

/** Subscriptions of one session to queues and to groups, by their filters as the client wrote them. */
export class Consumptions {
  readonly #context: ConsumptionContext;
  readonly #held = new Map<string, Holding>();
  /** Unsubscribed, and not done yet: the client still has messages of theirs [MQTT-3.10.4-3]. */
  readonly #finishing = new Set<Holding>();

  constructor(context: ConsumptionContext) {
    this.#context = context;
  }

  get size(): number {
    return this.#held.size;
  }

  has(filter: string): boolean {
    return this.#held.has(filter);
  }

  get(filter: string): ConsumeOptions | undefined {
    return this.#held.get(filter)?.options;
  }

  *options(): Generator<ConsumeOptions> {
    for (const { options } of this.#held.values()) yield options;
  }

  /**
   * Adds a subscription, or replaces one. Resolves once messages may come, which they do from the next `pump` on; rejects
   * with a BrokerError when none will.
   */
  add(options: ConsumeOptions): Promise<void> {
    const { filter } = options;
    const previous = this.#held.get(filter);
    if (previous !== undefined && sameWishes(previous.options.wishes, options.wishes)) {
      previous.replace(options);
      return previous.opened;
    }
    if (previous === undefined) return this.#begin(options).opened;
    // A group must not be without members meanwhile; a queue may have room for one exclusive consumer only.
    const first = kindOf(filter) === 'queue';
    if (first) this.#finish(previous);
    const { opened } = this.#begin(options);
    if (!first) this.#finish(previous);
    return opened;
  }

  /** One that was there before this connection. What it cannot have now it may have later, or never. */
  resume(options: ConsumeOptions): void {
    const holding = this.#begin(options);
    holding.opened.then(
      () => holding.pump(),
      (error: BrokerError) => this.#lost(holding, error),
    );
  }

  #begin(options: ConsumeOptions): Holding {
    const { filter } = options;
    const holding = new Holding(options, this.#context);
    this.#held.set(filter, holding);
    holding.begin({
      ended: (error) => this.#lost(holding, error),
      failed: () => {
        if (this.#held.get(filter) === holding) this.#held.delete(filter);
      },
      finished: () => this.#finishing.delete(holding),
    });
    return holding;
  }

  #lost(holding: Holding, error: BrokerError): void {
    const { options } = holding;
    const { filter } = options;
    this.#finishing.delete(holding);
    const current = this.#held.get(filter);
    if (current !== undefined && current !== holding) return;
    if (error.code !== 'unavailable') {
      if (current !== undefined) this.#held.delete(filter);
      this.#context.ended(filter, error);
      return;
    }
    this.#held.set(filter, holding);
    holding.retry(() => this.resume(holding.options));
  }

  remove(filter: string): boolean {
    const holding = this.#held.get(filter);
    if (holding === undefined) return false;
    this.#held.delete(filter);
    this.#finish(holding);
    return true;
  }

  #finish(holding: Holding): void {
    this.#finishing.add(holding);
    holding.finish();
  }

  pump(): void {
    for (const holding of this.#held.values()) holding.pump();
  }

  /** The connection is gone: what the client has not settled goes to others. `forget`: the session ends. */
  leave(forget: boolean): void {
    // What they are is still to be written.
    for (const holding of this.#held.values()) holding.leave(forget);
    for (const holding of this.#finishing) holding.leave(true);
  }
}
