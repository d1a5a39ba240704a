import type { BrokerError } from '../../core/errors.ts';
import type { Message } from '../../core/message.ts';
import type { AppendReceiver } from '../../ports/backbone.ts';
import type { Clock } from '../../ports/clock.ts';
import type { QueueInlet } from '../hosts.ts';
import { copied } from './altered.ts';

/** Stands for the log among the names of queues, of which none is empty. */
const LOG = '';

/**
 * Publishes dead letters on topics. One that a queue bound to the topic does not take is tried again, for as long as it is refused,
 * and then goes only where it is missing: the log and the other queues would know it again for `backbone.dedup` alone, and have it
 * once more after each such time.
 */
export class LetterPublisher {
  readonly #append: (message: Message, receiver: AppendReceiver, token: number) => void;
  readonly #queues: QueueInlet;
  readonly #clock: Clock;
  /** Where a letter is durably, that is not everywhere. */
  readonly #taken = new WeakMap<Message, Set<string>>();

  /** `append`: to the log, and nowhere else. */
  constructor(
    append: (message: Message, receiver: AppendReceiver, token: number) => void,
    queues: QueueInlet,
    clock: Clock,
  ) {
    this.#append = append;
    this.#queues = queues;
    this.#clock = clock;
  }

  /** `receiver` hears of it when all have answered, so that none is asked twice at once. */
  publish(message: Message, receiver: AppendReceiver, token: number): void {
    const taken = this.#taken.get(message) ?? new Set<string>();
    this.#taken.set(message, taken);
    const missing = [LOG, ...this.#queues.bound(message.topic)].filter((each) => !taken.has(each));
    let left = missing.length;
    let refusal: BrokerError | undefined;
    const answered = (): void => {
      if (--left > 0) return;
      if (refusal === undefined) receiver.appended(token, message);
      else receiver.refused(token, refusal);
    };
    // The queue that had refused it is there no more.
    if (left === 0) this.#clock.defer(answered);
    for (const place of missing) {
      const one: AppendReceiver = {
        appended: () => {
          taken.add(place);
          answered();
        },
        refused: (_, error) => {
          refusal ??= error;
          answered();
        },
      };
      if (place === LOG) this.#append(message, one, 0);
      else this.#queues.push(place, copied(message), one, 0);
    }
  }
}
