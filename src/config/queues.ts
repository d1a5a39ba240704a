import { z } from 'zod';
import { BrokerError } from '../core/errors.ts';
import {
  checkSettings,
  DEFAULT_SETTINGS as DEFAULTS,
  isSettingName,
  type PartialSettings,
  QUEUE_SETTINGS,
  type QueueSettings,
  type SettingName,
} from '../core/queue-settings.ts';
import { QUEUE_PREFIX, topicFault } from '../core/topic.ts';
import { type BindingLimits, deadLetterTopicFault, settingsOf } from '../routing/queues/settings.ts';
import { found } from './faults.ts';
import { choice, type Form, flag, integer, text } from './field.ts';

/** The section `queues`: what queues are set to by default, and those that are made at start. */

/** What the configuration's own limits say is looked at later. */
const NAME_LIMITS = { topicBytes: 65_535, topicLevels: 65_535 };

function queueNameFault(name: string): string | undefined {
  return topicFault(QUEUE_PREFIX + name, NAME_LIMITS);
}

const DEAD_LETTER_QUEUE: Form = {
  allowed: 'the name of a queue, or empty',
  test: (value) => value === '' || queueNameFault(value) === undefined,
};

const DEAD_LETTER_TOPIC: Form = {
  allowed: 'the name of a topic, or empty',
  test: (value) => value === '' || deadLetterTopicFault(value, NAME_LIMITS) === undefined,
};

type IntegerSetting = {
  [K in SettingName]: (typeof QUEUE_SETTINGS)[K]['kind'] extends 'integer' ? K : never;
}[SettingName];

function amount(name: IntegerSetting, doc: string) {
  const { max, unit } = QUEUE_SETTINGS[name];
  return integer(DEFAULTS[name], 0, max, doc, unit);
}

/** Bindings belong to one queue: they have no default. */
const defaults = z.strictObject({
  maxMessages: amount('maxMessages', 'Messages in a queue; 0: only limits.queueMessages'),
  maxBytes: amount('maxBytes', 'Payloads of the messages in a queue together; 0: only limits.queueBytes'),
  overflow: choice(
    QUEUE_SETTINGS.overflow.values,
    DEFAULTS.overflow,
    'What happens to a message beyond that: it is refused, or the oldest one is dropped or dead-lettered for it',
  ),
  messageMilliseconds: amount(
    'messageMilliseconds',
    'How long a message waits at most before it is removed as expired; 0: as long as it says itself',
  ),
  expiryMilliseconds: amount(
    'expiryMilliseconds',
    'How long a queue is kept without consumers and new messages; 0: for good',
  ),
  autoDelete: flag(
    DEFAULTS.autoDelete,
    'Whether a queue is deleted, with all in it, when the last of its consumers goes',
  ),
  maxPriority: amount(
    'maxPriority',
    'The highest priority there is in a queue: a message of a higher one counts as one of this',
  ),
  maxDeliveries: amount('maxDeliveries', 'How often a message is given to a consumer at most; 0: without end'),
  retryMilliseconds: amount(
    'retryMilliseconds',
    'How long a message that a consumer gave back waits, twice as long each time',
  ),
  retryMaxMilliseconds: amount('retryMaxMilliseconds', 'How long it waits at most'),
  ackMilliseconds: amount(
    'ackMilliseconds',
    'How long a consumer may leave a message unsettled before another one gets it; 0: as long as it is connected',
  ),
  deadLetterQueue: text(
    DEFAULTS.deadLetterQueue,
    DEAD_LETTER_QUEUE,
    'The queue that gets what is rejected, expired, or delivered too often; empty: such messages are dropped',
  ),
  deadLetterTopic: text(
    DEFAULTS.deadLetterTopic,
    DEAD_LETTER_TOPIC,
    'The topic on which that is published, in place of a queue; empty: none',
  ),
  singleActiveConsumer: flag(DEFAULTS.singleActiveConsumer, 'Whether only one consumer at a time gets messages'),
});

type DeclaredQueue = { readonly name: string } & PartialSettings;

const ALLOWED = `a list of queues: name, and any of ${Object.keys(QUEUE_SETTINGS).join(', ')}`;

const declared = z
  .custom<readonly DeclaredQueue[]>()
  .transform((given, context) =>
    // A fault that explains itself: `validate` shows its message as it is.
    readDeclared(given, (path, message, explained = 'value') =>
      context.addIssue({ code: 'custom', path, message, params: { explained } }),
    ),
  )
  .default([])
  .meta({
    description: 'Queues that are made at start; one that is there must be set the same',
    allowed: ALLOWED,
    type: 'array',
    items: {
      type: 'object',
      properties: { name: { type: 'string' }, ...settingsSchema() },
      required: ['name'],
      additionalProperties: false,
    },
  });

export const section = z.strictObject({ defaults: defaults.prefault({}), declared });

interface QueuesSection {
  readonly defaults: Omit<QueueSettings, 'bindings'>;
  readonly declared: readonly DeclaredQueue[];
}

export interface QueueOptions {
  readonly defaults: QueueSettings;
  readonly declared: readonly { readonly name: string; readonly settings: PartialSettings }[];
}

/** As routing has them. */
export function queuesOf({ queues }: { readonly queues: QueuesSection }): QueueOptions {
  const { defaults, declared } = queues;
  return {
    defaults: { ...defaults, bindings: DEFAULTS.bindings },
    declared: declared.map(({ name, ...settings }) => ({ name, settings })),
  };
}

/** Settings that do not go together, of the defaults or of a declared queue with them. */
export function queueConflicts(config: {
  readonly queues: QueuesSection;
  readonly limits: BindingLimits;
}): { readonly path: PropertyKey[]; readonly message: string }[] {
  const { defaults, declared } = queuesOf(config);
  const faultOf = (name: string, settings: PartialSettings): string | undefined => {
    try {
      settingsOf(name, settings, defaults, config.limits);
      return undefined;
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      return error.message;
    }
  };
  const message = faultOf('', {});
  // Else the queues would say the same again.
  if (message !== undefined) return [{ path: ['queues', 'defaults'], message }];
  return declared.flatMap(({ name, settings }, index) => {
    const fault = faultOf(name, settings);
    return fault === undefined ? [] : [{ path: ['queues', 'declared', index], message: fault }];
  });
}

/** `at`: what is wrong, the key itself or its value (which is usual). */
type Report = (path: PropertyKey[], message: string, at?: 'key' | 'value') => void;

function readDeclared(given: unknown, report: Report): DeclaredQueue[] {
  if (!Array.isArray(given) || given.length > MAX_DECLARED) {
    const count = Array.isArray(given) ? ` of ${given.length} entries` : '';
    report([], `found ${found(given)}${count}, expected ${ALLOWED}, at most ${MAX_DECLARED}`);
    return [];
  }
  const places = new Map<string, number>();
  return given.flatMap((entry: unknown, index) => {
    const queue = readEntry(entry, (path, message, at) => report([index, ...path], message, at));
    if (queue === undefined) return [];
    const before = places.get(queue.name);
    if (before !== undefined) {
      report([index, 'name'], `found the name of queues.declared[${before}] again, expected each queue once`);
    }
    places.set(queue.name, before ?? index);
    return [queue];
  });
}

const MAX_DECLARED = 10_000;

function readEntry(entry: unknown, report: Report): DeclaredQueue | undefined {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    report([], `found ${found(entry)}, expected a section with name, and settings`);
    return undefined;
  }
  const { name, ...given }: { name?: unknown } = entry;
  const settings = readSettings(given, report);
  if (typeof name !== 'string') {
    report(['name'], `found ${found(name)}, expected the name of a queue`);
    return undefined;
  }
  const wrong = name === '' ? '' : queueNameFault(name);
  if (wrong !== undefined) {
    report(['name'], `found ${found(name)}${wrong && `, which ${wrong}`}; expected the name of a queue`);
  }
  return { name, ...settings };
}

/** One by one, so that each fault is found, and where it stands. */
function readSettings(given: object, report: Report): PartialSettings {
  let settings: PartialSettings = {};
  for (const [name, value] of Object.entries(given)) {
    try {
      settings = { ...settings, ...checkSettings({ [name]: value }) };
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      report([name], error.message, isSettingName(name) ? 'value' : 'key');
    }
  }
  return settings;
}

function settingsSchema(): Record<string, object> {
  return Object.fromEntries(Object.entries(QUEUE_SETTINGS).map(([name, setting]) => [name, settingSchema(setting)]));
}

function settingSchema(setting: (typeof QUEUE_SETTINGS)[SettingName]): object {
  switch (setting.kind) {
    case 'integer':
      return { type: 'integer', minimum: 0, maximum: setting.max };
    case 'flag':
      return { type: 'boolean' };
    case 'choice':
      return { enum: setting.values };
    case 'text':
      return { type: 'string' };
    case 'list':
      return { type: 'array', items: { type: 'string' } };
  }
}
