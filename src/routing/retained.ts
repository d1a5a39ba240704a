import { copyOf } from '../core/bytes.ts';
import type { Counters } from '../core/counters.ts';
import type { Message } from '../core/message.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Limits } from '../ports/limits.ts';
import type { Logger, Retained } from '../ports/routing.ts';

/** How often expired retained messages are looked for, milliseconds. */
const SWEEP = 60_000;

/** The last retained message of each topic, by level, so that a filter finds its topics without looking at all. */
export class RetainedStore implements Retained {
  readonly #root = new Node();
  readonly #limits: Limits;
  readonly #counters: Counters;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #count = 0;
  #bytes = 0;
  #warned = false;
  #timer: Timer | undefined;

  constructor(limits: Limits, counters: Counters, clock: Clock, logger: Logger) {
    this.#limits = limits;
    this.#counters = counters;
    this.#clock = clock;
    this.#logger = logger;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  start(): void {
    this.#timer = this.#clock.schedule(SWEEP, () => {
      this.#sweep();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Keeps the message for its topic in place of an earlier one; an empty payload removes that [MQTT-3.3.1-6]. */
  set(message: Message): void {
    if (message.size === 0) {
      this.#remove(message.topic);
      return;
    }
    const words = message.topic.split('/');
    const previous = this.#root.find(words)?.message;
    const bytes = this.#bytes + cost(message) - (previous === undefined ? 0 : cost(previous));
    const count = this.#count + (previous === undefined ? 1 : 0);
    if (count > this.#limits.retainedMessages || bytes > this.#limits.retainedBytes) {
      this.#refuse(message);
      return;
    }
    // Its own copy: the message may live in a log segment or a socket's chunk, and stays here for long.
    const kept = message.with(message.qos, true);
    kept.adopt(copyOf(message.payload()), 0, message.size);
    this.#root.grow(words).message = kept;
    this.#count = count;
    this.#bytes = bytes;
  }

  match(filter: string, visit: (message: Message) => void): void {
    const now = this.#clock.now();
    collect(this.#root, filter.split('/'), 0, true, new Set(), (message) => {
      if (!message.expired(now)) visit(message);
    });
  }

  #remove(topic: string): void {
    const words = topic.split('/');
    const message = this.#root.find(words)?.message;
    if (message === undefined) return;
    this.#root.cut(words, 0);
    this.#count--;
    this.#bytes -= cost(message);
  }

  #refuse(message: Message): void {
    this.#counters.droppedRetained++;
    // What was retained before is no longer true; better none than a stale one.
    this.#remove(message.topic);
    if (this.#warned) return;
    this.#warned = true;
    this.#logger.warn(
      { topic: message.topic, count: this.#count, bytes: this.#bytes },
      'retained messages are no longer kept: limits.retainedMessages or limits.retainedBytes is reached',
    );
  }

  #sweep(): void {
    const now = this.#clock.now();
    const expired: string[] = [];
    collect(this.#root, ['#'], 0, false, new Set(), (message) => {
      if (message.expired(now)) expired.push(message.topic);
    });
    for (const topic of expired) this.#remove(topic);
    this.#counters.droppedExpired += expired.length;
  }
}

/** Estimate of what a retained message takes, bytes. */
function cost(message: Message): number {
  return message.size + message.topic.length + 200;
}

class Node {
  message: Message | undefined;
  readonly children = new Map<string, Node>();

  find(words: readonly string[]): Node | undefined {
    let node: Node | undefined = this;
    for (const word of words) node = node?.children.get(word);
    return node;
  }

  grow(words: readonly string[]): Node {
    let node: Node = this;
    for (const word of words) {
      let child = node.children.get(word);
      if (child === undefined) {
        child = new Node();
        node.children.set(word, child);
      }
      node = child;
    }
    return node;
  }

  /** Removes the message of a topic and the branches this empties; true when this node is empty then. */
  cut(words: readonly string[], depth: number): boolean {
    const word = words[depth];
    if (word === undefined) this.message = undefined;
    else if (this.children.get(word)?.cut(words, depth + 1)) this.children.delete(word);
    return this.message === undefined && this.children.size === 0;
  }
}

/** Visits the messages of all topics a filter matches, each once: an inner `#` may reach a topic in several ways. */
function collect(
  node: Node,
  words: readonly string[],
  depth: number,
  hideSystem: boolean,
  seen: Set<Message>,
  visit: (message: Message) => void,
): void {
  const word = words[depth];
  if (word === undefined) {
    if (node.message !== undefined && !seen.has(node.message)) {
      seen.add(node.message);
      visit(node.message);
    }
    return;
  }
  if (word !== '+' && word !== '#') {
    const child = node.children.get(word);
    if (child !== undefined) collect(child, words, depth + 1, false, seen, visit);
    return;
  }
  if (word === '#') collect(node, words, depth + 1, hideSystem, seen, visit);
  for (const [name, child] of node.children) {
    // [MQTT-4.7.2-1]: a leading wildcard does not reach topics that begin with $.
    if (hideSystem && name.startsWith('$')) continue;
    collect(child, words, word === '#' ? depth : depth + 1, false, seen, visit);
  }
}
