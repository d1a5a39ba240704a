/**
 * Filters to values, by level. `match` visits the values of all filters that match a topic. The cost follows the
 * topic's levels and the wildcards met, not the number of filters.
 */
export class TopicTree<T> {
  readonly #root: Node<T> = new Node<T>();
  /** Filters with `#` before the end: only with them a `#` can be reached at several levels, which needs to be known. */
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
    const seen = this.#innerHashes > 0 ? new Map<Node<T>, number>() : undefined;
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

/**
 * Depth is bounded by the limit on topic levels, checked before a name gets here. `seen`: of each `#` that was reached, the lowest
 * level. So no node is reached twice at one level: it has one parent, and from there the next level is one, too, but behind a `#`.
 */
function walk<T>(
  node: Node<T>,
  words: readonly string[],
  level: number,
  system: boolean,
  visit: (value: T) => void,
  seen: Map<Node<T>, number> | undefined,
): void {
  // [MQTT-4.7.2-1]: a leading wildcard does not reach topics that begin with $.
  const wild = level > 0 || !system;
  const { hash } = node;
  if (hash !== undefined && wild) {
    const before = seen?.get(hash);
    if (before === undefined) for (const value of hash.values) visit(value);
    // From the levels behind that one it went on then.
    if (before === undefined || level < before) {
      seen?.set(hash, level);
      const until = before ?? words.length;
      if (hash.continues) for (let rest = level; rest < until; rest++) walkPast(hash, words, rest, visit, seen);
    }
  }
  if (level === words.length) {
    for (const value of node.values) visit(value);
    return;
  }
  const literal = node.literal(words[level] ?? '');
  if (literal !== undefined) walk(literal, words, level + 1, system, visit, seen);
  if (node.plus !== undefined && wild) walk(node.plus, words, level + 1, system, visit, seen);
}

/** Goes on behind a `#`, whose own values have been visited: `rest` is the first level it does not stand for. */
function walkPast<T>(
  hash: Node<T>,
  words: readonly string[],
  rest: number,
  visit: (value: T) => void,
  seen: Map<Node<T>, number> | undefined,
): void {
  const literal = hash.literal(words[rest] ?? '');
  if (literal !== undefined) walk(literal, words, rest + 1, false, visit, seen);
  if (hash.plus !== undefined) walk(hash.plus, words, rest + 1, false, visit, seen);
}

function isInner(filter: string): boolean {
  const hash = filter.indexOf('#');
  return hash !== -1 && hash !== filter.length - 1;
}
