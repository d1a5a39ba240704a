import { BrokerError } from '../../src/core/errors.ts';
import type { UserProperty } from '../../src/core/message.ts';
import { type PartialSettings, SETTING_PREFIX, settingsOfHeaders } from '../../src/core/queue-settings.ts';
import { parseStart, START_FORMS, type Start } from '../../src/core/start.ts';
import type { FilterKind } from './filters.ts';
import { FLAG_FORM, parseFlag, valueFault } from './values.ts';

/** What a client asks of a subscription beyond the specification, by user properties of SUBSCRIBE. */
export interface Wishes {
  readonly consumerPriority: number;
  readonly exclusive: boolean;
  /** undefined: as many as the Receive Maximum. */
  readonly prefetch: number | undefined;
  readonly settings: PartialSettings;
  /** A group goes by key. */
  readonly ordered: boolean;
  readonly start: Start | undefined;
  /** Messages are to carry their positions. */
  readonly positions: boolean;
}

const NONE: readonly UserProperty[] = [];
const NO_WISHES: Wishes = {
  consumerPriority: 0,
  exclusive: false,
  prefetch: undefined,
  settings: {},
  ordered: false,
  start: undefined,
  positions: false,
};

/** Names of ours, and which subscriptions they make sense for. */
const KINDS: ReadonlyMap<string, readonly FilterKind[]> = new Map<string, readonly FilterKind[]>([
  ['consumer-priority', ['queue']],
  ['exclusive', ['queue']],
  ['prefetch', ['queue', 'group']],
  ['group-order', ['group']],
  ['start', ['topic', 'group']],
  ['positions', ['topic']],
]);

const NOUNS: Record<FilterKind, string> = {
  topic: 'a subscription to topics',
  group: 'a shared subscription',
  queue: 'a queue',
};

function kindsOf(name: string): readonly FilterKind[] | undefined {
  return name.startsWith(SETTING_PREFIX) ? ['queue'] : KINDS.get(name);
}

/** Those of a SUBSCRIBE's user properties that are ours. The others mean nothing to the server (3.8.2.1.3). */
export function wishesIn(user: readonly UserProperty[] | undefined): readonly UserProperty[] {
  return user?.some(([name]) => kindsOf(name) !== undefined)
    ? user.filter(([name]) => kindsOf(name) !== undefined)
    : NONE;
}

/** Throws a BrokerError that names what has a wrong value, or makes no sense for this kind of subscription. */
export function readWishes(properties: readonly UserProperty[], kind: FilterKind): Wishes {
  if (properties.length === 0) return NO_WISHES;
  // The first of a repeated name counts, as everywhere.
  const given = new Map<string, string>();
  for (const [name, value] of properties) {
    const kinds = kindsOf(name);
    if (kinds !== undefined && !kinds.includes(kind)) {
      const fitting = kinds.map((each) => NOUNS[each]).join(' or ');
      throw new BrokerError('fieldInvalid', `${name} is for ${fitting}, not for ${NOUNS[kind]}`);
    }
    if (!given.has(name)) given.set(name, value);
  }
  const start = read(given, 'start', parseStart, `one of ${START_FORMS}`);
  return {
    consumerPriority: read(given, 'consumer-priority', whole(-100, 100), 'a whole number from -100 to 100') ?? 0,
    exclusive: read(given, 'exclusive', parseFlag, FLAG_FORM) ?? false,
    prefetch: read(given, 'prefetch', whole(1, 0xffff), 'a whole number from 1 to 65535 (messages)'),
    settings: settingsOfHeaders(properties),
    ordered: read(given, 'group-order', (text) => (text === 'key' ? true : undefined), 'key') ?? false,
    start,
    positions: read(given, 'positions', parseFlag, FLAG_FORM) ?? start !== undefined,
  };
}

function read<T>(
  given: ReadonlyMap<string, string>,
  name: string,
  parse: (text: string) => T | undefined,
  expected: string,
): T | undefined {
  const text = given.get(name);
  if (text === undefined) return undefined;
  const value = parse(text);
  if (value === undefined) throw valueFault(name, text, expected);
  return value;
}

function whole(least: number, most: number): (text: string) => number | undefined {
  return (text) => {
    const value = /^-?[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most ? value : undefined;
  };
}

/** Whether two lists ask for the same. */
export function sameWishes(a: readonly UserProperty[], b: readonly UserProperty[]): boolean {
  return a.length === b.length && a.every(([name, value], i) => b[i]?.[0] === name && b[i][1] === value);
}
