import type { Outcome } from '../../src/ports/queues.ts';
import type { Together } from './feed.ts';
import type { CompositeRequest } from './subscribe.ts';
import { allOf, type Effect, type StompSubscription } from './subscription.ts';

/** A subscription to several destinations: one id, and one window for the messages of all of them. */
export class CompositeSubscription implements StompSubscription {
  readonly name: string | undefined;
  readonly destination: string;
  readonly parts: number;
  readonly durable = undefined;
  readonly competes: boolean;
  readonly joins: boolean;
  readonly #all: readonly StompSubscription[];
  readonly #together: Together;
  /** Who may send first: in turn, or one with many messages would take all of a small window. */
  #turn = 0;

  constructor({ id, destination, together }: CompositeRequest, all: readonly StompSubscription[]) {
    this.name = id;
    this.destination = destination;
    this.parts = all.length;
    this.#all = all;
    this.#together = together;
    this.competes = all.every((each) => each.competes);
    this.joins = all.every((each) => each.joins);
  }

  start(): Effect {
    return allOf(this.#all.map((each) => each.start()));
  }

  answered(): void {
    for (const each of this.#all) each.answered?.();
  }

  issued(number: number): boolean {
    return this.#all[0]?.issued(number) ?? false;
  }

  unsettled(number: number): boolean {
    return this.#all.some((each) => each.unsettled(number));
  }

  holds(number: number): boolean {
    return this.#all.every((each) => each.holds(number));
  }

  settle(number: number, outcome: Outcome, delay: number | undefined): void {
    const its = this.#all.findIndex((each) => each.unsettled(number));
    if (its === -1) return;
    this.#together.settling = true;
    if (this.#together.cumulative) for (const each of this.#all) each.settle(number, outcome, delay);
    else this.#all[its]?.settle(number, outcome, delay);
    this.#together.settling = false;
    this.#turn = its + 1;
    this.pump();
  }

  stored(): Effect {
    return allOf(this.#all.map((each) => each.stored()));
  }

  pump(): void {
    const count = this.#all.length;
    const first = this.#turn++;
    for (let i = 0; i < count; i++) this.#all[(first + i) % count]?.pump();
  }

  unsubscribe(forever: boolean): Effect {
    return allOf(this.#all.map((each) => each.unsubscribe(forever)));
  }

  close(): void {
    for (const each of this.#all) each.close();
  }
}
