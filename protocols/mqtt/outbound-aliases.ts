/** Bytes of a Topic Alias property: shorter topics would gain nothing. */
const ALIAS_BYTES = 3;
/** Uses are counted up to this, so that a topic that was used much does not keep its alias for long after. */
const MOST_USES = 15;
/** Among topics that are used alike, aliases would else go to and fro. Uses. */
const LEAD = 1;
/** Topics without an alias that are watched, for each with one; and how many at most. */
const WATCHED_EACH = 4;
const WATCHED = 4096;

/** A topic that has an alias, or is watched because it may come to deserve one. */
interface Entry {
  topic: string;
  /** 0: none. */
  alias: number;
  uses: number;
  /** Where it is among the watched, if it has no alias. */
  place: number;
}

/**
 * Topic Aliases that the server sets on one connection (MQTT 5.0, 3.3.2.3.4). As long as aliases are free, each topic gets
 * one when it is first sent: an alias that is not used again costs three bytes once. When all are taken, a topic that is
 * sent again and again takes the place of one that is not. Each step costs the same however many topics there are: one
 * holder at a time is compared with, and ages by that, like a page under a clock's hand.
 */
export class OutboundAliases {
  readonly #maximum: number;
  readonly #topics = new Map<string, Entry>();
  /** By alias; that of 1 is the first. */
  readonly #holders: Entry[] = [];
  readonly #watched: Entry[] = [];
  /** The holder to be compared with next, and the watched topic to make room next. */
  #hand = 0;
  #oldest = 0;

  /** `maximum`: aliases, at least one. */
  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  /** The alias that the client knows for this topic, which is being used; 0: none. */
  find(topic: string): number {
    const entry = this.#topics.get(topic);
    if (entry === undefined || entry.alias === 0) return 0;
    if (entry.uses < MOST_USES) entry.uses++;
    return entry.alias;
  }

  /** For a topic that has none: the alias it gets, which is to be sent together with the topic; 0: none. */
  learn(topic: string): number {
    if (topic.length <= ALIAS_BYTES) return 0;
    if (this.#holders.length < this.#maximum) return this.#give(topic);
    const entry = this.#topics.get(topic);
    if (entry === undefined) {
      this.#watch(topic);
      return 0;
    }
    if (entry.uses < MOST_USES) entry.uses++;
    return this.#compete(entry);
  }

  #give(topic: string): number {
    const entry = { topic, alias: this.#holders.length + 1, uses: 1, place: 0 };
    this.#holders.push(entry);
    this.#topics.set(topic, entry);
    return entry.alias;
  }

  /** Changes places with the holder under the hand, if that is used clearly less; else that has aged. */
  #compete(entry: Entry): number {
    const holder = this.#holders[this.#hand];
    this.#hand = (this.#hand + 1) % this.#holders.length;
    if (holder === undefined) return 0;
    if (entry.uses <= holder.uses + LEAD) {
      holder.uses--;
      return 0;
    }
    const { alias } = holder;
    holder.alias = 0;
    holder.place = entry.place;
    this.#watched[entry.place] = holder;
    entry.alias = alias;
    this.#holders[alias - 1] = entry;
    return alias;
  }

  /** In place of the oldest one, unless that was seen again; then that ages instead. */
  #watch(topic: string): void {
    const room = Math.min(this.#maximum * WATCHED_EACH, WATCHED);
    if (this.#watched.length < room) {
      const entry = { topic, alias: 0, uses: 1, place: this.#watched.length };
      this.#watched.push(entry);
      this.#topics.set(topic, entry);
      return;
    }
    const oldest = this.#watched[this.#oldest];
    this.#oldest = (this.#oldest + 1) % room;
    if (oldest === undefined) return;
    if (oldest.uses > 1) {
      oldest.uses--;
      return;
    }
    this.#topics.delete(oldest.topic);
    oldest.topic = topic;
    this.#topics.set(topic, oldest);
  }
}
