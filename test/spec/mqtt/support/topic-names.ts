import * as assert from 'uvu/assert';
import type { Publish } from './rig.ts';

/** What a client knows of the server's Topic Aliases, and how messages named their topics; one for each connection. */
export class TopicNames {
  readonly #maximum: number;
  readonly #known = new Map<number, string>();
  /** Messages that had a topic, a topic and its alias, and an alias alone. */
  named = 0;
  learnt = 0;
  aliased = 0;

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  /** The topic of a message, by the rules for receivers. */
  of({ topic, properties }: Publish): string {
    const alias = properties?.topicAlias;
    if (alias === undefined) {
      assert.is.not(topic, '', 'neither topic nor alias');
      this.named++;
      return topic;
    }
    assert.ok(alias >= 1 && alias <= this.#maximum, `alias ${alias} [MQTT-3.1.2-26] [MQTT-3.3.2-8]`);
    if (topic !== '') {
      this.#known.set(alias, topic);
      this.learnt++;
      return topic;
    }
    this.aliased++;
    const known = this.#known.get(alias);
    if (known === undefined) throw new Error(`alias ${alias} has not been given a topic on this connection`);
    return known;
  }
}
