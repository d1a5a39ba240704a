import { BrokerError } from '../../src/core/errors.ts';
import { QUEUE_PREFIX } from '../../src/core/topic.ts';
import { type JsonObject, RequestError, readBoolean, readInteger } from './codec.ts';
import type { Link } from './link.ts';
import { readQueue } from './mapping.ts';
import { readSettings, requireSettings } from './subscribe.ts';
import type { Tasks } from './tasks.ts';

/** What can be done with a queue besides filling and consuming it. All of it needs both rights to the queue. */

export type Operation = 'declare' | 'queueStatus' | 'browse' | 'purge' | 'deleteQueue';

/** Messages of one `browse` at most, and when the request does not say it. */
const MOST_BROWSED = 1000;
const USUALLY_BROWSED = 100;
/** Read from the queue at once: what is held in memory for a `browse`. */
const PORTION = 16;

export class QueueOperations {
  readonly #link: Link;
  readonly #tasks: Tasks;
  #browsing = false;

  constructor(link: Link, tasks: Tasks) {
    this.#link = link;
    this.#tasks = tasks;
  }

  /** `id`: of the request, as JSON text. */
  do(operation: Operation, request: JsonObject, id: string | undefined): void {
    const { queues } = this.#link.services;
    const queue = this.#queueOf(request);
    switch (operation) {
      case 'declare': {
        const settings = readSettings(request) ?? {};
        requireSettings(settings, this.#link);
        this.#answer(queues.declare(queue, settings), id, statusField);
        return;
      }
      case 'queueStatus':
        needId(id);
        this.#answer(this.#status(queue), id, statusField);
        return;
      case 'browse':
        this.#browse(queue, request, needId(id));
        return;
      case 'purge':
        this.#answer(queues.purge(queue), id, countField);
        return;
      case 'deleteQueue': {
        const only = { ifEmpty: readBoolean(request, 'ifEmpty'), ifUnused: readBoolean(request, 'ifUnused') };
        this.#answer(queues.delete(queue, only), id, countField);
      }
    }
  }

  #queueOf(request: JsonObject): string {
    const { principal, services } = this.#link;
    const queue = readQueue(request, services.limits);
    if (queue === undefined) {
      throw new RequestError('fieldInvalid', 'queue', 'queue is missing; the name of a queue is expected');
    }
    const { authorizer } = services;
    const topic = QUEUE_PREFIX + queue;
    if (authorizer.mayPublish(principal, topic) && authorizer.maySubscribe(principal, topic)) return queue;
    throw new RequestError('notAuthorized', 'queue', 'not authorized to both publish to and subscribe to this queue');
  }

  /** `fields`: of the answer, as JSON text from the comma on. */
  #answer<T>(work: Promise<T>, id: string | undefined, fields: (result: T) => string): void {
    this.#tasks.run(work, id, (result) => this.#link.answers.ack(id, fields(result)));
  }

  async #status(queue: string): Promise<object> {
    const status = await this.#link.services.queues.status(queue);
    if (status === undefined) throw new BrokerError('notFound', 'there is no such queue');
    return status;
  }

  #browse(queue: string, request: JsonObject, id: string): void {
    if (this.#browsing) throw new RequestError('quota', undefined, 'a browse is under way; one at a time is taken');
    const after = readInteger(request, 'after', 0, Number.MAX_SAFE_INTEGER) ?? 0;
    const count = readInteger(request, 'count', 1, MOST_BROWSED) ?? USUALLY_BROWSED;
    this.#browsing = true;
    const browsed = this.#show(queue, after, count, id).finally(() => {
      this.#browsing = false;
    });
    this.#answer(browsed, id, ({ shown, next }) => {
      return next === undefined ? countField(shown) : `${countField(shown)},"next":${next}`;
    });
  }

  /** Sends what is in the queue until there are `count`, or the connection has enough: `next` says where to go on. */
  async #show(queue: string, after: number, count: number, id: string): Promise<{ shown: number; next?: number }> {
    const { answers, connection, encoder, services } = this.#link;
    const prefix = Buffer.from(`{"type":"browsed","id":${id},`);
    let next = after;
    let shown = 0;
    while (shown < count) {
      const portion = await services.queues.browse(queue, next, Math.min(PORTION, count - shown));
      for (const { message, id: number, deliveries } of portion.messages) {
        if (answers.over || connection.full()) return { shown, next };
        const fields = `"number":${number},${deliveries > 0 ? `"deliveryCount":${deliveries},` : ''}`;
        encoder.write(connection, prefix, message, false, fields);
        next = number;
        shown++;
      }
      if (portion.next === undefined) return { shown };
      next = portion.next;
    }
    return { shown, next };
  }
}

function needId(id: string | undefined): string {
  if (id !== undefined) return id;
  throw new RequestError('fieldInvalid', 'id', 'id is missing; the answer repeats it');
}

function statusField(status: object): string {
  return `,"status":${JSON.stringify(status)}`;
}

function countField(count: number): string {
  return `,"count":${count}`;
}
