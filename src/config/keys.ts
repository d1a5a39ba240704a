import { type Leaf, leaves } from './schema.ts';

/** The schema as a tree of sections and keys, and the names that derive from it. */

/** What text becomes when it is given for a key outside of YAML. */
export type KeyKind = 'integer' | 'flag' | 'list' | 'text';

export interface Key {
  readonly kind: KeyKind;
  readonly path: readonly string[];
  /** `listeners.mqtt.port` */
  readonly name: string;
  /** `TRIMARAN_LISTENERS_MQTT_PORT` */
  readonly variable: string;
  readonly leaf: Leaf;
  /** Completes "found X, expected …". */
  readonly expected: string;
}

export interface Section {
  readonly kind: 'section';
  readonly path: readonly string[];
  readonly name: string;
  readonly children: Map<string, Key | Section>;
}

export const VARIABLE_PREFIX = 'TRIMARAN_';

/** The environment variable of a key: `listeners.mqtt.allowedOrigins` is `TRIMARAN_LISTENERS_MQTT_ALLOWED_ORIGINS`. */
export function environmentName(path: readonly string[]): string {
  const words = path.map((word) => word.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase());
  return VARIABLE_PREFIX + words.join('_');
}

function kindOf({ fallback }: Leaf): KeyKind {
  if (Array.isArray(fallback)) return 'list';
  if (typeof fallback === 'number') return 'integer';
  return typeof fallback === 'boolean' ? 'flag' : 'text';
}

function expectedOf({ allowed, unit, fallback }: Leaf): string {
  if (typeof fallback === 'number') return `a whole number from ${allowed}${unit === undefined ? '' : ` (${unit})`}`;
  return allowed.includes(' | ') ? `one of ${allowed.replaceAll(' | ', ', ')}` : allowed;
}

export const root: Section = { kind: 'section', path: [], name: '', children: new Map() };

function grow(): { keys: readonly Key[]; byName: ReadonlyMap<string, Key | Section> } {
  const keys: Key[] = [];
  const byName = new Map<string, Key | Section>();
  for (const leaf of leaves()) {
    const { path } = leaf;
    const name = path.join('.');
    let section = root;
    for (const [i, word] of path.slice(0, -1).entries()) {
      const child = section.children.get(word);
      if (child !== undefined && child.kind !== 'section') throw new Error(`${child.name} is both a key and a section`);
      const parents = path.slice(0, i + 1);
      const next: Section = child ?? { kind: 'section', path: parents, name: parents.join('.'), children: new Map() };
      section.children.set(word, next);
      byName.set(next.name, next);
      section = next;
    }
    const variable = environmentName(path);
    const key: Key = { kind: kindOf(leaf), path, name, variable, leaf, expected: expectedOf(leaf) };
    section.children.set(path.at(-1) ?? '', key);
    byName.set(name, key);
    keys.push(key);
  }
  return { keys, byName };
}

/** Every key, in the order of the schema. */
export const { keys, byName } = grow();

export function findNode(name: string): Key | Section | undefined {
  return byName.get(name);
}

/** The name a mistyped one was probably meant to be, or of which the beginning is missing. */
export function suggestName(name: string): string | undefined {
  const close = nearest(name, byName.keys());
  if (close !== undefined) return close;
  const longer = keys.filter((key) => key.name.endsWith(`.${name}`));
  return longer.length === 1 ? longer[0]?.name : undefined;
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
