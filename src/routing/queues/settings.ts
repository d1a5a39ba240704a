import { BrokerError } from '../../core/errors.ts';
import { mqttFilterFault } from '../../core/filter.ts';
import {
  checkSettings,
  DEFAULT_SETTINGS,
  type PartialSettings,
  type QueueSettings,
} from '../../core/queue-settings.ts';
import { isExchange, QUEUE_PREFIX, reservedFault, type TopicLimits, topicFault } from '../../core/topic.ts';

/** Stores take no longer names, bytes. */
const NAME_BYTES = 1024;

/** Why a queue cannot have this name; undefined when it can. */
export function queueNameFault(name: string, limits: TopicLimits): string | undefined {
  if (name === '') return 'is empty; at least one character is needed';
  if (Buffer.byteLength(name) > NAME_BYTES) return `is longer than ${NAME_BYTES} bytes`;
  return topicFault(QUEUE_PREFIX + name, limits);
}

/** Throws a BrokerError. */
export function checkQueueName(name: string, limits: TopicLimits): void {
  const fault = queueNameFault(name, limits);
  if (fault !== undefined) throw new BrokerError('topicInvalid', `the name of the queue ${fault}`);
}

/** What a new queue is set to. Throws a BrokerError that names the setting that is wrong, by itself or with another. */
export function settingsOf(
  name: string,
  given: PartialSettings,
  defaults: QueueSettings,
  limits: BindingLimits,
): QueueSettings {
  const settings = { ...withoutOther(defaults, given), ...given };
  const { deadLetterQueue, deadLetterTopic, overflow, retryMilliseconds, retryMaxMilliseconds, bindings } = settings;
  if (deadLetterTopic !== '') {
    const fault = deadLetterTopicFault(deadLetterTopic, limits);
    if (fault !== undefined) throw invalid(`deadLetterTopic ${fault}`);
    if (deadLetterQueue !== '')
      throw invalid('there are both deadLetterQueue and deadLetterTopic; one of them is expected');
  } else if (deadLetterQueue !== '') {
    const fault =
      deadLetterQueue === name
        ? 'is the queue itself; another one is expected'
        : queueNameFault(deadLetterQueue, limits);
    // What is configured for all queues means: none, for the one that it names.
    if (fault !== undefined && given.deadLetterQueue === undefined) return { ...settings, deadLetterQueue: '' };
    if (fault !== undefined) throw invalid(`deadLetterQueue ${fault}`);
  } else if (overflow === 'deadLetterOldest') {
    throw invalid('overflow is deadLetterOldest, but deadLetterQueue is empty; the name of a queue is expected there');
  }
  if (retryMilliseconds > retryMaxMilliseconds) {
    throw invalid(
      `retryMilliseconds is ${retryMilliseconds}, which is more than retryMaxMilliseconds, ${retryMaxMilliseconds}`,
    );
  }
  const fault = bindingsFault(bindings, limits);
  if (fault !== undefined) throw invalid(`bindings: ${fault}`);
  return settings;
}

/** Where dead letters go is said once: who names a topic does not want the queue that is usual, and the other way round. */
function withoutOther(defaults: QueueSettings, given: PartialSettings): QueueSettings {
  if (given.deadLetterTopic !== undefined && given.deadLetterTopic !== '') return { ...defaults, deadLetterQueue: '' };
  if (given.deadLetterQueue !== undefined && given.deadLetterQueue !== '') return { ...defaults, deadLetterTopic: '' };
  return defaults;
}

/** Why dead letters cannot be published on this topic; undefined when they can. */
export function deadLetterTopicFault(topic: string, limits: TopicLimits): string | undefined {
  if (topic.startsWith(QUEUE_PREFIX)) return 'names a queue; deadLetterQueue is for that';
  return topicFault(topic, limits) ?? reservedFault(topic);
}

export interface BindingLimits extends TopicLimits {
  readonly queueBindings: number;
  readonly queueBindingBytes: number;
}

function bindingsFault(bindings: readonly string[], limits: BindingLimits): string | undefined {
  const { queueBindings, queueBindingBytes } = limits;
  if (bindings.length > queueBindings)
    return `there are ${bindings.length} filters; at most ${queueBindings} are taken (limits.queueBindings)`;
  const bytes = bindings.reduce((sum, each) => sum + Buffer.byteLength(each), 0);
  if (bytes > queueBindingBytes)
    return `the filters have ${bytes} bytes; at most ${queueBindingBytes} are taken (limits.queueBindingBytes)`;
  for (const binding of bindings) {
    const fault = bindingFault(binding, limits);
    if (fault !== undefined) return `${JSON.stringify(binding.slice(0, 80))} ${fault}`;
  }
  return undefined;
}

function bindingFault(binding: string, limits: TopicLimits): string | undefined {
  return binding.startsWith('$') && !isExchange(binding)
    ? "begins with $, where topics are the server's own; a filter of other topics, or of $exchange/amq.direct/KEY and its like, is expected"
    : mqttFilterFault(binding, limits);
}

function invalid(text: string): BrokerError {
  return new BrokerError('fieldInvalid', text);
}

/** The form in which settings are kept: JSON with the settings by name. */
export function encodeSettings(settings: QueueSettings): Uint8Array {
  return Buffer.from(JSON.stringify({ format: 1, settings }));
}

/**
 * undefined for bytes that are none. What is not among them is as it is by default; bindings that are no filters, as the
 * configuration may have been another, are left out.
 */
export function decodeSettings(bytes: Uint8Array, limits: TopicLimits): QueueSettings | undefined {
  try {
    const record: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
    if (typeof record !== 'object' || record === null || !('settings' in record)) return undefined;
    const { settings } = record;
    if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) return undefined;
    const { bindings = [], ...others } = checkSettings({ ...settings });
    const valid = bindings.filter((each) => bindingFault(each, limits) === undefined);
    return { ...DEFAULT_SETTINGS, ...others, bindings: valid };
  } catch {
    return undefined;
  }
}
