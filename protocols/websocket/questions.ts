import type { Message, Publisher } from '../../src/core/message.ts';
import { REPLY_PREFIX } from '../../src/core/topic.ts';
import type { Timer } from '../../src/ports/clock.ts';
import type { Subscriber, Subscription } from '../../src/ports/routing.ts';
import { type ErrorCode, type JsonObject, RequestError } from './codec.ts';
import type { Link } from './link.ts';
import { readQuestion, readTimeout } from './mapping.ts';

interface Question {
  /** Of the request, as JSON text. */
  readonly id: string;
  readonly timer: Timer;
}

/**
 * What a client asks, and the answers: each has a topic of its own, below one that is this client's alone, so that answers
 * find their question even when who answers knows nothing of correlation.
 */
export class Questions implements Subscriber {
  readonly clientId: string;
  readonly #link: Link;
  readonly #publisher: Publisher;
  readonly #base: string;
  /** With the first question. */
  #subscription: Subscription | undefined;
  /** By the topics of their answers. */
  readonly #open = new Map<string, Question>();
  #number = 0;

  constructor(link: Link, publisher: Publisher) {
    this.clientId = link.clientId;
    this.#link = link;
    this.#publisher = publisher;
    this.#base = REPLY_PREFIX + Buffer.from(link.services.clock.random(16)).toString('base64url');
  }

  ask(request: JsonObject, id: string | undefined, now: number): void {
    const { authorizer, clock, limits, router } = this.#link.services;
    if (id === undefined) {
      throw new RequestError('fieldInvalid', 'id', 'id is missing; the answer to a request repeats it');
    }
    if (this.#open.size >= limits.requests) {
      const text = `${this.#open.size} requests are open; at most ${limits.requests} may be (limits.requests)`;
      throw new RequestError('quota', undefined, text);
    }
    const timeout = readTimeout(request);
    const number = `${++this.#number}`;
    const responseTopic = `${this.#base}/${number}`;
    const replyTo = { responseTopic, correlation: Buffer.from(number) };
    const message = readQuestion(request, this.#publisher, limits, now, timeout, replyTo);
    if (!authorizer.mayPublish(this.#link.principal, message.topic)) {
      const field = request.queue === undefined ? 'topic' : 'queue';
      throw new RequestError('notAuthorized', field, `not authorized to publish to this ${field}`);
    }
    this.#listen();
    const timer = clock.schedule(timeout, () => {
      this.#fail(responseTopic, 'noReply', `no answer came within ${timeout} ms (timeoutMilliseconds)`);
    });
    this.#open.set(responseTopic, { id, timer });
    router.request(message, () => this.#fail(responseTopic, 'noListener', 'no one listens there'));
  }

  #listen(): void {
    if (this.#subscription !== undefined) return;
    const { router } = this.#link.services;
    this.#subscription = {
      subscriber: this,
      filter: `${this.#base}/+`,
      qos: 1,
      noLocal: false,
      retainAsPublished: false,
      identifier: 0,
      id: '',
      since: router.positions(),
    };
    router.subscribe(this.#subscription);
  }

  deliver(message: Message): void {
    const { connection, encoder, services } = this.#link;
    const question = this.#open.get(message.topic);
    if (question === undefined) {
      services.counters.droppedReplies++;
    } else if (message.expired(services.clock.now())) {
      services.counters.droppedExpired++;
    } else if (connection.full()) {
      services.counters.droppedSlow++;
      this.#fail(message.topic, 'noReply', 'an answer came, but this client does not read fast enough to have it');
    } else {
      this.#close(message.topic, question);
      encoder.write(connection, Buffer.from(`{"type":"reply","id":${question.id},`), message, message.fanout > 1);
      services.counters.delivered++;
      services.counters.deliveredBytes += message.size;
    }
  }

  /** The client is gone. */
  close(): void {
    for (const { timer } of this.#open.values()) timer.cancel();
    this.#open.clear();
    if (this.#subscription !== undefined) this.#link.services.router.unsubscribe(this.#subscription);
  }

  #fail(responseTopic: string, code: ErrorCode, text: string): void {
    const question = this.#open.get(responseTopic);
    if (question === undefined) return;
    this.#close(responseTopic, question);
    this.#link.answers.refuse(code, text, question.id);
  }

  #close(responseTopic: string, { timer }: Question): void {
    timer.cancel();
    this.#open.delete(responseTopic);
  }
}
