import type { Message } from '../core/message.ts';

/** Retained messages by topic level, so that a filter finds its topics without looking at all. */
export class RetainedTree {
  message: Message | undefined;
  readonly children = new Map<string, RetainedTree>();

  find(words: readonly string[]): RetainedTree | undefined {
    let node: RetainedTree | undefined = this;
    for (const word of words) node = node?.children.get(word);
    return node;
  }

  grow(words: readonly string[]): RetainedTree {
    let node: RetainedTree = this;
    for (const word of words) {
      let child = node.children.get(word);
      if (child === undefined) {
        child = new RetainedTree();
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
export function collect(
  node: RetainedTree,
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
