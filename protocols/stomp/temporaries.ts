import { REPLY_PREFIX } from '../../src/core/topic.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { Refusal, shown } from './refusal.ts';

/** Bytes of chance in the name of a topic for answers: to publish there, one must have been told it. */
const NAME_BYTES = 16;

/**
 * The destinations `/temp-queue/NAME` and `/temp-topic/NAME` of a connection: each stands for a topic for answers that is
 * the connection's own, and ends with it.
 */
export class Temporaries {
  readonly #topics = new Map<string, string>();
  readonly #clock: Clock;
  readonly #most: number;

  constructor(clock: Clock, most: number) {
    this.#clock = clock;
    this.#most = most;
  }

  /** The topic that a temporary destination stands for, the same as long as the connection lasts. */
  topicOf(destination: string): string {
    return this.#topics.get(destination) ?? this.#make(destination);
  }

  #make(destination: string): string {
    if (this.#topics.size >= this.#most) {
      const detail = `the destination ${shown(destination)} is one too many: ${this.#most} temporary ones are there already (limits.subscriptionsPerSession)`;
      throw new Refusal('quota', detail, 'Use one for all requests: correlation-id tells the answers apart.');
    }
    const topic = REPLY_PREFIX + Buffer.from(this.#clock.random(NAME_BYTES)).toString('base64url');
    this.#topics.set(destination, topic);
    return topic;
  }
}
