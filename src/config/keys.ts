import { z } from 'zod';
import { type Leaf, leaves } from './leaves.ts';
import { schema } from './schema.ts';

/** The schema as a tree of plain data, and the names that derive from it. */

export interface Key {
  readonly kind: 'key';
  readonly path: readonly string[];
  /** `listeners.mqtt.port` */
  readonly name: string;
  /** `TRIMARAN_LISTENERS_MQTT_PORT` */
  readonly variable: string;
  readonly leaf: Leaf;
}

export interface Section {
  readonly kind: 'section';
  readonly path: readonly string[];
  readonly name: string;
  readonly doc: string;
  readonly children: ReadonlyMap<string, Key | Section>;
}

export const VARIABLE_PREFIX = 'TRIMARAN_';

export function variableName(path: readonly string[]): string {
  const words = path.map((word) => word.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase());
  return VARIABLE_PREFIX + words.join('_');
}

function describe(type: z.core.$ZodType, path: readonly string[]): Key | Section {
  const name = path.join('.');
  const leaf = leaves.get(type);
  if (leaf !== undefined) return { kind: 'key', path, name, variable: variableName(path), leaf };
  const object = type instanceof z.ZodPrefault ? type.unwrap() : type;
  if (!(object instanceof z.ZodObject))
    throw new Error(`the schema's ${name} is neither a section nor a described key`);
  const children = new Map<string, Key | Section>();
  for (const [word, child] of Object.entries(object.shape)) children.set(word, describe(child, [...path, word]));
  return { kind: 'section', path, name, doc: z.globalRegistry.get(type)?.description ?? '', children };
}

function rootSection(): Section {
  const node = describe(schema, []);
  if (node.kind === 'key') throw new Error('the schema is not a section');
  return node;
}

export const root: Section = rootSection();

function collect(section: Section, keys: Key[], sections: Section[]): void {
  for (const child of section.children.values()) {
    if (child.kind === 'key') keys.push(child);
    else {
      sections.push(child);
      collect(child, keys, sections);
    }
  }
}

function collected(): { keys: readonly Key[]; sections: readonly Section[] } {
  const keys: Key[] = [];
  const sections: Section[] = [];
  collect(root, keys, sections);
  return { keys, sections };
}

/** Every key and every section but the root, in the order of the schema. */
export const { keys, sections } = collected();

const byName = new Map<string, Key | Section>([...sections, ...keys].map((node) => [node.name, node]));

export function findNode(name: string): Key | Section | undefined {
  return byName.get(name);
}

/** The name a mistyped one was probably meant to be. */
export function suggestName(name: string): string | undefined {
  const last = name.slice(name.lastIndexOf('.') + 1);
  return nearest(name, byName.keys()) ?? keys.find((key) => key.path.at(-1) === last)?.name;
}

export function suggestVariable(variable: string): string | undefined {
  return nearest(
    variable,
    keys.map((key) => key.variable),
  );
}

/** The candidate that takes the fewest changes, if these are few. */
export function nearest(text: string, candidates: Iterable<string>): string | undefined {
  if (text.length > MAX_NAME) return undefined;
  const wanted = text.toLowerCase();
  let best: string | undefined;
  let least = Math.max(2, Math.floor(text.length / 5)) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - text.length) >= least) continue;
    const changes = distance(wanted, candidate.toLowerCase());
    if (changes < least && changes < candidate.length) {
      least = changes;
      best = candidate;
    }
  }
  return best;
}

/** Longer ones are no typing mistakes, and comparing takes time. */
const MAX_NAME = 80;

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
