/**
 * Filters to values, by level. `match` visits the values of all filters that match a topic. The cost follows the
 * topic's levels and the wildcards met, not the number of filters.
 */
export class TopicTree<T> {
  readonly #root: Node<T> = new Node<T>();
  /** Filters with `#` before the end: only they can reach one node twice at one level, and need the check for it. */
  #innerHashes = 0;
  #size = 0;

  /** Number of (filter, value) pairs. */
  get size(): number {
    return this.#size;
  }

  add(filter: string, value: T): void {
    let node = this.#root;
    for (const word of filter.split('/')) node = node.grow(word);
    node.values.push(value);
    this.#size++;
    if (isInner(filter)) this.#innerHashes++;
  }

  /** Removes one pair; false when it was not there. Emptied branches are cut. */
  remove(filter: string, value: T): boolean {
    const words = filter.split('/');
    const path: Node<T>[] = [this.#root];
    for (const word of words) {
      const next = path[path.length - 1]?.child(word);
      if (next === undefined) return false;
      path.push(next);
    }
    const values = path[path.length - 1]?.values;
    const index = values?.indexOf(value) ?? -1;
    if (values === undefined || index === -1) return false;
    values.splice(index, 1);
    this.#size--;
    if (isInner(filter)) this.#innerHashes--;
    for (let depth = words.length; depth > 0; depth--) {
      const node = path[depth];
      const word = words[depth - 1];
      if (node === undefined || word === undefined || !node.empty) break;
      path[depth - 1]?.cut(word);
    }
    return true;
  }

  match(topic: string, visit: (value: T) => void): void {
    const seen = this.#innerHashes > 0 ? new Map<Node<T>, Set<number>>() : undefined;
    walk(this.#root, topic.split('/'), 0, topic.charCodeAt(0) === 0x24, visit, seen);
  }
}

class Node<T> {
  readonly values: T[] = [];
  #children: Map<string, Node<T>> | undefined;
  plus: Node<T> | undefined;
  hash: Node<T> | undefined;

  grow(word: string): Node<T> {
    if (word === '+') {
      this.plus ??= new Node<T>();
      return this.plus;
    }
    if (word === '#') {
      this.hash ??= new Node<T>();
      return this.hash;
    }
    this.#children ??= new Map();
    let child = this.#children.get(word);
    if (child === undefined) {
      child = new Node<T>();
      this.#children.set(word, child);
    }
    return child;
  }

  child(word: string): Node<T> | undefined {
    if (word === '+') return this.plus;
    if (word === '#') return this.hash;
    return this.#children?.get(word);
  }

  /** A literal level of a topic, which is never a wildcard. */
  literal(word: string): Node<T> | undefined {
    return this.#children?.get(word);
  }

  cut(word: string): void {
    if (word === '+') this.plus = undefined;
    else if (word === '#') this.hash = undefined;
    else if (this.#children?.delete(word) && this.#children.size === 0) this.#children = undefined;
  }

  get empty(): boolean {
    return (
      this.values.length === 0 && this.#children === undefined && this.plus === undefined && this.hash === undefined
    );
  }

  /** Something follows a `#` here: the filter goes on after it. */
  get continues(): boolean {
    return this.#children !== undefined || this.plus !== undefined || this.hash !== undefined;
  }
}

/** Depth is bounded by the limit on topic levels, checked before a name gets here. */
function walk<T>(
  node: Node<T>,
  words: readonly string[],
  level: number,
  system: boolean,
  visit: (value: T) => void,
  seen: Map<Node<T>, Set<number>> | undefined,
): void {
  if (seen !== undefined && visited(seen, node, level)) return;
  // [MQTT-4.7.2-1]: a leading wildcard does not reach topics that begin with $.
  const wild = level > 0 || !system;
  if (node.hash !== undefined && wild) {
    // Behind an inner `#` the same hash is reached at several levels; its values count once.
    if (seen === undefined || !visited(seen, node.hash, -1)) for (const value of node.hash.values) visit(value);
    if (node.hash.continues)
      for (let rest = level; rest <= words.length; rest++) walkPast(node.hash, words, rest, visit, seen);
  }
  if (level === words.length) {
    for (const value of node.values) visit(value);
    return;
  }
  const literal = node.literal(words[level] ?? '');
  if (literal !== undefined) walk(literal, words, level + 1, system, visit, seen);
  if (node.plus !== undefined && wild) walk(node.plus, words, level + 1, system, visit, seen);
}

function visited<T>(seen: Map<Node<T>, Set<number>>, node: Node<T>, level: number): boolean {
  let levels = seen.get(node);
  if (levels === undefined) {
    levels = new Set();
    seen.set(node, levels);
  }
  if (levels.has(level)) return true;
  levels.add(level);
  return false;
}

/** Goes on behind a `#`, whose own values have been visited: `rest` is the first level it does not stand for. */
function walkPast<T>(
  hash: Node<T>,
  words: readonly string[],
  rest: number,
  visit: (value: T) => void,
  seen: Map<Node<T>, Set<number>> | undefined,
): void {
  if (rest === words.length) return;
  const literal = hash.literal(words[rest] ?? '');
  if (literal !== undefined) walk(literal, words, rest + 1, false, visit, seen);
  if (hash.plus !== undefined) walk(hash.plus, words, rest + 1, false, visit, seen);
}

function isInner(filter: string): boolean {
  const hash = filter.indexOf('#');
  return hash !== -1 && hash !== filter.length - 1;
}
