import type { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type { Backlog, Router } from '../../src/ports/routing.ts';

export interface PublicationsOwner {
  /** `id`: of the request, as JSON text. `repeated`: its message had been taken in before. */
  published(id: string | undefined, repeated: boolean): void;
  unpublished(id: string | undefined, error: BrokerError): void;
}

/** Durable messages of one connection on their way to the log. When they are too many, the client is not read from. */
export class Publications implements AppendReceiver {
  readonly #router: Router;
  readonly #backlog: Backlog;
  readonly #owner: PublicationsOwner;
  /** Token to the id to acknowledge. */
  readonly #pending = new Map<number, string | undefined>();
  #token = 0;

  constructor(router: Router, backlog: Backlog, owner: PublicationsOwner) {
    this.#router = router;
    this.#backlog = backlog;
    this.#owner = owner;
  }

  publish(message: Message, id: string | undefined): void {
    this.#pending.set(++this.#token, id);
    this.#backlog.add();
    this.#router.publish(message, this, this.#token);
  }

  appended(token: number, _: Message, repeated = false): void {
    this.#owner.published(this.#settle(token), repeated);
  }

  refused(token: number, error: BrokerError): void {
    this.#owner.unpublished(this.#settle(token), error);
  }

  #settle(token: number): string | undefined {
    const id = this.#pending.get(token);
    this.#pending.delete(token);
    this.#backlog.remove();
    return id;
  }
}
