import { BrokerError } from '../../src/core/errors.ts';
import { hasWildcard } from '../../src/core/filter.ts';
import type { Message, Properties, UserProperty } from '../../src/core/message.ts';
import { type TopicLimits, topicFault } from '../../src/core/topic.ts';
import type { PacketProperties } from './packets.ts';
import { DELAY_FORM, parseDelay, valueFault } from './values.ts';

/** User properties that stand for properties of the message: the publisher's own id of it, and what queues go by. */
const MESSAGE_ID = 'message-id';
const KEY = 'key';
const PRIORITY = 'priority';
const DELAY = 'delay';
const DELIVER_AT = 'deliver-at';

const PRIORITY_FORM = /^[0-9]$/;
const TIME_FORM = /^[0-9]{1,15}$/;

/** What a message for a queue may not have: user properties of ours with values that are none of theirs. */
export function queueFault(user: readonly UserProperty[]): BrokerError | undefined {
  let times = 0;
  for (const [name, value] of user) {
    if ((name === KEY || name === MESSAGE_ID) && value === '')
      return valueFault(name, value, 'a text that is not empty');
    if (name === PRIORITY && !PRIORITY_FORM.test(value)) return valueFault(name, value, 'a whole number from 0 to 9');
    if (name === DELAY && parseDelay(value) === undefined) return valueFault(name, value, DELAY_FORM);
    if (name === DELIVER_AT && !TIME_FORM.test(value))
      return valueFault(name, value, 'a time in milliseconds since 1970');
    if (name === DELAY || name === DELIVER_AT) times++;
  }
  return times > 1
    ? new BrokerError('fieldInvalid', 'delay and deliver-at: one of them, once, is expected')
    : undefined;
}

/**
 * From the properties of a PUBLISH or will to the message's; undefined when nothing is left to carry. For a topic that is
 * no queue, what queues go by is understood where it is valid (it may be bound to one), and stays a user property.
 */
export function toProperties(
  packet: PacketProperties | undefined,
  now: number,
  limits: TopicLimits,
  forQueue: boolean,
): Properties | undefined {
  if (packet === undefined) return undefined;
  const properties: Writable = {};
  let any = false;
  if (packet.contentType !== undefined) {
    properties.contentType = packet.contentType;
    any = true;
  }
  // Also 0, which says no more than its absence: it goes through unaltered [MQTT-3.3.2-4].
  if (packet.payloadFormat !== undefined) {
    properties.textPayload = packet.payloadFormat === 1;
    any = true;
  }
  if (packet.responseTopic !== undefined) {
    const fault = topicFault(packet.responseTopic, limits);
    if (fault !== undefined) {
      // No topic of anyone's; or one that is too much for this server.
      const never = packet.responseTopic === '' || hasWildcard(packet.responseTopic);
      throw new BrokerError(never ? 'protocol' : 'topicInvalid', `the Response Topic ${fault} [MQTT-3.3.2-14]`);
    }
    properties.responseTopic = packet.responseTopic;
    any = true;
  }
  if (packet.correlationData !== undefined) {
    properties.correlation = packet.correlationData;
    any = true;
  }
  if (packet.messageExpiry !== undefined) {
    properties.expiresAt = now + packet.messageExpiry * 1000;
    any = true;
  }
  if (packet.user !== undefined) {
    properties.user = packet.user;
    if (understood(packet.user, now, properties) && forQueue) {
      properties.user = packet.user.filter(([name]) => !OWN.has(name));
    }
    any = true;
  }
  return any ? properties : undefined;
}

type Writable = { -readonly [K in keyof Properties]: Properties[K] };

/** Names that a message in a queue has as properties of its own. */
const OWN: ReadonlySet<string> = new Set([MESSAGE_ID, KEY, PRIORITY, DELAY, DELIVER_AT]);

/** Takes what queues go by out of the user properties; the first of a repeated one counts. True when there was any. */
function understood(user: readonly UserProperty[], now: number, properties: Writable): boolean {
  let any = false;
  for (const [name, value] of user) {
    if (!OWN.has(name)) continue;
    any = true;
    const delay = name === DELAY ? parseDelay(value) : undefined;
    if (name === MESSAGE_ID) properties.messageId ??= value;
    else if (name === KEY && value !== '') properties.key ??= value;
    else if (name === PRIORITY && PRIORITY_FORM.test(value)) properties.priority ??= Number(value);
    else if (name === DELIVER_AT && TIME_FORM.test(value)) properties.deliverAt ??= Number(value);
    else if (delay !== undefined) properties.deliverAt ??= now + delay;
  }
  return any;
}

/** The user properties of a PUBLISH to a client: the message's own, and what else it has that MQTT has no field for. */
export function userProperties(message: Message): readonly UserProperty[] {
  const properties = message.properties;
  const user = properties?.user ?? NONE;
  if (properties === undefined) return user;
  const { messageId, key, priority } = properties;
  if (messageId === undefined && key === undefined && priority === undefined) return user;
  const all = [...user];
  const add = (name: string, value: string | undefined): void => {
    if (value !== undefined && !user.some(([each]) => each === name)) all.push([name, value]);
  };
  add(MESSAGE_ID, messageId);
  add(KEY, key);
  add(PRIORITY, priority?.toString());
  return all;
}

const NONE: readonly UserProperty[] = [];

/** Message Expiry Interval: what is left, in seconds; the second that has begun counts [MQTT-3.3.2-6]. */
export function secondsLeft(expiresAt: number, now: number): number {
  return Math.min(0xffffffff, Math.max(0, Math.ceil((expiresAt - now) / 1000)));
}
