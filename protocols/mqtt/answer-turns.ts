import { Fifo } from '../../src/core/fifo.ts';

/**
 * Keeps an answer that is known at once, a refusal, behind those to earlier messages that are still on their way to the log
 * [MQTT-4.6.0-2] [MQTT-4.6.0-3]. The log gives its own in order; queues, which do not, are not waited for: one whose node is
 * lost must not hold up the acknowledgements of topics.
 */
export class AnswerTurns {
  /** Messages given to the log, and those it has answered. */
  #asked = 0;
  #answered = 0;
  #held: Fifo<{ readonly behind: number; readonly write: () => void }> | undefined;

  asked(): void {
    this.#asked++;
  }

  answered(): void {
    this.#answered++;
    while ((this.#held?.peek()?.behind ?? Number.POSITIVE_INFINITY) <= this.#answered) this.#held?.shift()?.write();
  }

  /** Nothing is waited for. */
  get idle(): boolean {
    return this.#asked === this.#answered;
  }

  /** Unless idle. */
  hold(write: () => void): void {
    this.#held ??= new Fifo();
    this.#held.push({ behind: this.#asked, write });
  }
}
