import { BrokerError } from '../../core/errors.ts';
import { mqttFilterFault } from '../../core/filter.ts';
import {
  checkSettings,
  DEFAULT_SETTINGS,
  type PartialSettings,
  type QueueSettings,
} from '../../core/queue-settings.ts';
import { QUEUE_PREFIX, type TopicLimits, topicFault } from '../../core/topic.ts';

/** Stores take no longer names, bytes. */
const NAME_BYTES = 1024;
/** Of one queue. */
const MOST_BINDINGS = 256;

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
  limits: TopicLimits,
): QueueSettings {
  const settings = { ...defaults, ...given };
  const { deadLetterQueue, overflow, retryMilliseconds, retryMaxMilliseconds, bindings } = settings;
  if (deadLetterQueue !== '') {
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
  if (bindings.length > MOST_BINDINGS) {
    throw invalid(`bindings are ${bindings.length} filters; at most ${MOST_BINDINGS} are taken`);
  }
  for (const binding of bindings) {
    const fault = binding.startsWith('$')
      ? "begins with $, where topics are the server's own; a filter of other topics is expected"
      : mqttFilterFault(binding, limits);
    if (fault !== undefined) throw invalid(`bindings: ${JSON.stringify(binding.slice(0, 80))} ${fault}`);
  }
  return settings;
}

function invalid(text: string): BrokerError {
  return new BrokerError('fieldInvalid', text);
}

/** The form in which settings are kept: JSON with the settings by name. */
export function encodeSettings(settings: QueueSettings): Uint8Array {
  return Buffer.from(JSON.stringify({ format: 1, settings }));
}

/** undefined for bytes that are none. What is not among them is as it is by default. */
export function decodeSettings(bytes: Uint8Array): QueueSettings | undefined {
  try {
    const record: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
    if (typeof record !== 'object' || record === null || !('settings' in record)) return undefined;
    const { settings } = record;
    if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) return undefined;
    return { ...DEFAULT_SETTINGS, ...checkSettings({ ...settings }) };
  } catch {
    return undefined;
  }
}
