import { BrokerError } from './errors.ts';

/** What a queue is set to. Given in part when it is made, or used; what is not given is the configuration's. */
export interface QueueSettings {
  /** Most messages waiting and with consumers, and bytes of their payloads; 0: only the limits of the server. */
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** What happens to a message beyond that. */
  readonly overflow: 'refuse' | 'dropOldest' | 'deadLetterOldest';
  /** How long a message waits at most, milliseconds; 0: as long as it says itself. */
  readonly messageMilliseconds: number;
  /** How long the queue is kept without consumers and new messages, milliseconds; 0: for good. */
  readonly expiryMilliseconds: number;
  /** Whether the queue is deleted, with all that is in it, when the last of its consumers goes; never before it had one. */
  readonly autoDelete: boolean;
  /** A message of a higher priority counts as one of this. */
  readonly maxPriority: number;
  /** How often a message is given to a consumer at most; 0: without end. */
  readonly maxDeliveries: number;
  /** How long a message that was given back waits, milliseconds: twice as long each time, up to the second. */
  readonly retryMilliseconds: number;
  readonly retryMaxMilliseconds: number;
  /** How long a consumer may leave a message unsettled, milliseconds; 0: as long as it is connected. */
  readonly ackMilliseconds: number;
  /** The queue that gets what is rejected, expired, or delivered too often; empty: such messages are dropped. */
  readonly deadLetterQueue: string;
  /** The topic (MQTT form) on which that is published, in place of a queue; empty: none. */
  readonly deadLetterTopic: string;
  /** Only one of its consumers at a time gets messages. */
  readonly singleActiveConsumer: boolean;
  /** Filters (MQTT form) of topics whose messages are put in the queue, too. */
  readonly bindings: readonly string[];
}

export type SettingName = keyof QueueSettings;
export type PartialSettings = { readonly [K in SettingName]?: QueueSettings[K] };

type Kind =
  | { readonly kind: 'integer'; readonly max: number; readonly unit: string }
  | { readonly kind: 'flag' }
  | { readonly kind: 'choice'; readonly values: readonly QueueSettings['overflow'][] }
  | { readonly kind: 'text'; readonly what: string }
  | { readonly kind: 'list' };

const YEAR = 366 * 86_400_000;
const milliseconds = { kind: 'integer', max: YEAR, unit: 'milliseconds' } as const;

/** Every setting, what it may be, and how clients name it in headers (`queue-max-messages`). */
export const QUEUE_SETTINGS = {
  maxMessages: { kind: 'integer', max: 1_000_000_000, unit: 'messages' },
  maxBytes: { kind: 'integer', max: 2 ** 50, unit: 'bytes' },
  overflow: { kind: 'choice', values: ['refuse', 'dropOldest', 'deadLetterOldest'] },
  messageMilliseconds: milliseconds,
  expiryMilliseconds: milliseconds,
  autoDelete: { kind: 'flag' },
  maxPriority: { kind: 'integer', max: 9, unit: 'priority' },
  maxDeliveries: { kind: 'integer', max: 1_000_000, unit: 'deliveries' },
  retryMilliseconds: milliseconds,
  retryMaxMilliseconds: milliseconds,
  ackMilliseconds: milliseconds,
  deadLetterQueue: { kind: 'text', what: 'the name of a queue' },
  deadLetterTopic: { kind: 'text', what: 'the name of a topic' },
  singleActiveConsumer: { kind: 'flag' },
  bindings: { kind: 'list' },
} as const satisfies Record<SettingName, Kind>;

export const DEFAULT_SETTINGS: QueueSettings = {
  maxMessages: 0,
  maxBytes: 0,
  overflow: 'refuse',
  messageMilliseconds: 0,
  expiryMilliseconds: 0,
  autoDelete: false,
  maxPriority: 9,
  maxDeliveries: 0,
  retryMilliseconds: 0,
  retryMaxMilliseconds: 60_000,
  ackMilliseconds: 0,
  deadLetterQueue: '',
  deadLetterTopic: '',
  singleActiveConsumer: false,
  bindings: [],
};

const NAMES = Object.keys(QUEUE_SETTINGS).filter(isSettingName);

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(QUEUE_SETTINGS, name);
}

/** Prefix of settings in headers and user properties. */
export const SETTING_PREFIX = 'queue-';

/** `maxMessages` as `queue-max-messages`. */
function headerOf(name: SettingName): string {
  return SETTING_PREFIX + name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

const BY_HEADER: ReadonlyMap<string, SettingName> = new Map(NAMES.map((name) => [headerOf(name), name]));

/**
 * Settings given as texts, by header name: numbers in digits, flags as `true` or `false`, lists with commas. Names without
 * the prefix are none of ours. Throws a BrokerError that names what is unknown, or says what is allowed.
 */
export function settingsOfHeaders(headers: Iterable<readonly [name: string, value: string]>): PartialSettings {
  const given: Record<string, unknown> = {};
  for (const [header, value] of headers) {
    if (!header.startsWith(SETTING_PREFIX)) continue;
    const name = BY_HEADER.get(header);
    if (name === undefined) throw unknown(header, [...BY_HEADER.keys()]);
    // The first of a repeated header counts, as everywhere.
    if (!Object.hasOwn(given, name)) given[name] = readValue(name, value);
  }
  return checkSettings(given, headerOf);
}

function readValue(name: SettingName, text: string): unknown {
  const { kind } = QUEUE_SETTINGS[name];
  if (kind === 'integer' && /^[0-9]{1,15}$/.test(text)) return Number(text);
  if (kind === 'flag' && (text === 'true' || text === 'false')) return text === 'true';
  if (kind === 'list') return text === '' ? [] : text.split(',').map((each) => each.trim());
  return text;
}

/** Settings given as plain values. `shown`: how the giver names a setting. Throws a BrokerError, as above. */
export function checkSettings(
  given: Readonly<Record<string, unknown>>,
  shown: (name: SettingName) => string = (name) => name,
): PartialSettings {
  const settings: { -readonly [K in SettingName]?: QueueSettings[K] } = {};
  for (const [name, value] of Object.entries(given)) {
    if (!isSettingName(name)) throw unknown(name, NAMES);
    if (!set(settings, name, value)) {
      throw new BrokerError('fieldInvalid', `${shown(name)} is ${quoted(value)}; ${allowed(name)} is expected`);
    }
  }
  return settings;
}

function set(
  settings: { -readonly [K in SettingName]?: QueueSettings[K] },
  name: SettingName,
  value: unknown,
): boolean {
  switch (name) {
    case 'overflow': {
      const found = QUEUE_SETTINGS.overflow.values.find((each) => each === value);
      if (found !== undefined) settings.overflow = found;
      return found !== undefined;
    }
    case 'autoDelete':
    case 'singleActiveConsumer':
      if (typeof value !== 'boolean') return false;
      settings[name] = value;
      return true;
    case 'deadLetterQueue':
    case 'deadLetterTopic':
      if (typeof value !== 'string') return false;
      settings[name] = value;
      return true;
    case 'bindings':
      if (!Array.isArray(value) || !value.every((each): each is string => typeof each === 'string')) return false;
      settings.bindings = [...new Set(value)].sort();
      return true;
    default:
      if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > QUEUE_SETTINGS[name].max)
        return false;
      settings[name] = value;
      return true;
  }
}

function allowed(name: SettingName): string {
  const setting = QUEUE_SETTINGS[name];
  switch (setting.kind) {
    case 'integer':
      return `a whole number from 0 to ${setting.max} (${setting.unit})`;
    case 'flag':
      return 'true or false';
    case 'choice':
      return `one of ${setting.values.join(', ')}`;
    case 'text':
      return setting.what;
    case 'list':
      return 'a list of topic filters';
  }
}

function unknown(name: string, known: readonly string[]): BrokerError {
  return new BrokerError('fieldInvalid', `there is no queue setting ${quoted(name)}; known are ${known.join(', ')}`);
}

function quoted(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** The first of `given` that the queue does not have, in words with both values; undefined when there is none. */
export function contradiction(settings: QueueSettings, given: PartialSettings): string | undefined {
  for (const name of NAMES) {
    const asked = given[name];
    if (asked === undefined || String(asked) === String(settings[name])) continue;
    return `${name} of the queue is ${quoted(settings[name])}, not ${quoted(asked)}`;
  }
  return undefined;
}
