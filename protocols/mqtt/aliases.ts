import { BrokerError } from '../../src/core/errors.ts';

/** Topic aliases that a client has set on its connection (MQTT 5.0, 3.3.2.3.4). */
export class TopicAliases {
  readonly #maximum: number;
  readonly #topics: (string | undefined)[] = [];

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  /** The topic of a PUBLISH with an alias, or without a topic. */
  resolve(alias: number | undefined, topic: string): string {
    if (alias === undefined) throw new BrokerError('protocol', 'PUBLISH with neither a topic nor a Topic Alias');
    if (alias === 0 || alias > this.#maximum) {
      throw new BrokerError(
        'aliasInvalid',
        `Topic Alias ${alias}; 1 to ${this.#maximum} are allowed (limits.topicAliases)`,
      );
    }
    if (topic !== '') {
      this.#topics[alias] = topic;
      return topic;
    }
    const known = this.#topics[alias];
    if (known === undefined) throw new BrokerError('protocol', `Topic Alias ${alias} has not been given a topic`);
    return known;
  }
}
