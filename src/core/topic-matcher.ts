import { matches } from './filter.ts';

/** Topics whose answer is remembered; past it all are forgotten. */
const REMEMBERED = 4096;

/** Whether a topic matches any of some filters, for many messages of few topics. */
export class TopicMatcher {
  readonly #filters: readonly string[];
  readonly #known = new Map<string, boolean>();

  constructor(filters: readonly string[]) {
    this.#filters = filters;
  }

  has(topic: string): boolean {
    const known = this.#known.get(topic);
    if (known !== undefined) return known;
    const found = this.#filters.some((filter) => matches(filter, topic));
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.set(topic, found);
    return found;
  }
}
