import type { z } from 'zod';
import { found, keyName } from './faults.ts';
import { findNode, type Key, root, type Section, suggestName } from './keys.ts';
import { queueConflicts } from './queues.ts';
import { type Config, schema } from './schema.ts';
import { stompConflicts } from './stomp.ts';

export type Tree = Readonly<Record<string, unknown>>;

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A fault, not yet with the place that the configuration came from. */
export interface Finding {
  readonly path: readonly PropertyKey[];
  /** Whether the key itself or its value is wrong. */
  readonly at: 'key' | 'value';
  readonly message: string;
}

export type Validation = { readonly config: Config } | { readonly findings: readonly Finding[] };

/** Checks a whole or partial configuration, as it came from a file or a caller; defaults fill what is absent. */
export function validate(input: unknown): Validation {
  const tree = withoutEmptySections(input, root);
  const result = schema.safeParse(tree);
  if (result.success) return { config: deepFreeze(result.data) };
  return { findings: result.error.issues.flatMap((issue) => explain(tree, [], issue)) };
}

/** In YAML a section whose keys are all commented out is null: nothing is set in it. */
function withoutEmptySections(input: unknown, section: Section): unknown {
  if (input === null) return {};
  if (!isTree(input)) return input;
  const entries: [string, unknown][] = Object.entries(input).map(([word, value]) => {
    const child = section.children.get(word);
    return [word, child?.kind === 'section' ? withoutEmptySections(value, child) : value];
  });
  // fromEntries defines properties, so that a key named __proto__ is one like others, and refused.
  return Object.fromEntries(entries);
}

function explain(tree: unknown, base: readonly PropertyKey[], issue: z.core.$ZodIssue): Finding[] {
  const path = [...base, ...issue.path];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((word) => unknownKey([...path, word]));
  const explained = issue.code === 'custom' ? issue.params?.explained : undefined;
  if (explained === 'key' || explained === 'value') return [{ path, at: explained, message: issue.message }];
  const value = valueAt(tree, path);
  if (issue.code === 'invalid_union') {
    // A list key takes a list or a text: what is wrong inside the list says more than "neither".
    const errors = issue.errors[Array.isArray(value) ? 0 : 1] ?? [];
    if (errors.length > 0) return errors.flatMap((inner) => explain(tree, path, inner));
  }
  const node = nodeAt(path);
  const expected = node.kind === 'section' ? `a section with ${keyList(node)}` : node.expected;
  // What somebody meant to be a secret is not repeated.
  const shown = node.kind !== 'section' && node.leaf.secret && typeof value === 'string' ? 'a text' : found(value);
  return [{ path, at: 'value', message: `found ${shown}, expected ${expected}` }];
}

function unknownKey(path: readonly PropertyKey[]): Finding {
  return { path, at: 'key', message: unknownKeyMessage(keyName(path), nodeAt(path)) };
}

/** `section` is where the key stands, or would. */
export function unknownKeyMessage(name: string, section: Key | Section): string {
  const suggestion = suggestName(name);
  if (suggestion !== undefined) return `found an unknown key; did you mean ${suggestion}?`;
  if (section.kind !== 'section') return `found an unknown key; ${section.name} is ${section.expected}`;
  const place = section.name === '' ? 'the sections are' : `${section.name} has`;
  return `found an unknown key; ${place} ${keyList(section)}`;
}

const MAX_LISTED = 12;

function keyList(section: Section): string {
  const words = [...section.children.keys()];
  if (words.length > MAX_LISTED) return `${words.slice(0, MAX_LISTED).join(', ')} … (config/default.yaml has all)`;
  return words.join(', ');
}

/** The deepest key or section of the schema along a path. */
function nodeAt(path: readonly PropertyKey[]): Key | Section {
  for (let length = path.length; length > 0; length--) {
    const node = findNode(path.slice(0, length).join('.'));
    if (node !== undefined) return node;
  }
  return root;
}

export function valueAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  let value = tree;
  for (const word of path) {
    if (Array.isArray(value) && typeof word === 'number') value = value[word];
    else if (isTree(value) && typeof word === 'string') value = Object.hasOwn(value, word) ? value[word] : undefined;
    // An entry of a text with commas: the text is what was found.
    else return value;
  }
  return value;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}

/**
 * What no single key shows: two listeners that want the same port, settings of queues that do not go together, a default user
 * that is none. `given`:
 * whether a value is not just the default.
 */
export function conflicts(config: Config, given: (path: readonly string[]) => boolean): Finding[] {
  const { listeners } = config;
  const names = ['mqtt', 'stomp', 'http'] as const;
  const ofSections = [...queueConflicts(config), ...stompConflicts(config)];
  const findings: Finding[] = ofSections.map((conflict) => ({ ...conflict, at: 'value' }));
  for (const [i, name] of names.entries()) {
    for (const other of names.slice(0, i)) {
      if (!listeners[name].enabled || !listeners[other].enabled || !overlap(listeners[name], listeners[other]))
        continue;
      // The one to change is the one somebody set.
      const [mine, theirs] = given(['listeners', name, 'port']) ? [name, other] : [other, name];
      const found = `found ${listeners[mine].port}, which listeners.${theirs}.port has too`;
      const message = `${found}; expected another port, or 0 for a free one`;
      findings.push({ path: ['listeners', mine, 'port'], at: 'value', message });
    }
  }
  return findings;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

function overlap(a: Address, b: Address): boolean {
  const everywhere = ['0.0.0.0', '::'];
  return (
    a.port !== 0 && a.port === b.port && (a.host === b.host || [a.host, b.host].some((h) => everywhere.includes(h)))
  );
}
