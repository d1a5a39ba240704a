import { BrokerError } from '../../src/core/errors.ts';
import type { Backlog } from '../../src/ports/routing.ts';
import type { Link } from './link.ts';

/**
 * Requests whose answer takes its time. They count as durable messages under way do: when there are too many, the client
 * is not read from.
 */
export class Tasks {
  readonly #link: Link;
  readonly #backlog: Backlog;

  constructor(link: Link, backlog: Backlog) {
    this.#link = link;
    this.#backlog = backlog;
  }

  /** `done` or `failed`, which is an error to the client unless given; neither when the client is gone. `id`: of the request, as JSON text. */
  run<T>(
    work: Promise<T>,
    id: string | undefined,
    done: (result: T) => void,
    failed?: (error: BrokerError) => void,
  ): void {
    const { answers } = this.#link;
    this.#backlog.add();
    work.then(
      (result) => {
        this.#backlog.remove();
        if (!answers.over) done(result);
      },
      (error: unknown) => {
        this.#backlog.remove();
        const known = this.#known(error);
        if (answers.over) return;
        if (failed === undefined) answers.refuse(known.code, known.message, id);
        else failed(known);
      },
    );
  }

  /** What of an error may be told. */
  #known(error: unknown): BrokerError {
    if (error instanceof BrokerError) return error;
    const { clientId, services } = this.#link;
    services.logger.error({ err: error, clientId }, 'a request failed');
    return new BrokerError('internal');
  }
}
