import { BrokerError } from '../../src/core/errors.ts';
import type { Message, Properties, UserProperty } from '../../src/core/message.ts';
import { type TopicLimits, topicFault } from '../../src/core/topic.ts';
import type { PacketProperties } from './packets.ts';

/** The user property that carries the publisher's own id of a message (DESIGN 3). */
const MESSAGE_ID = 'message-id';

/** From the properties of a PUBLISH or will to the message's; undefined when nothing is left to carry. */
export function toProperties(
  packet: PacketProperties | undefined,
  now: number,
  limits: TopicLimits,
): Properties | undefined {
  if (packet === undefined) return undefined;
  const properties: { -readonly [K in keyof Properties]: Properties[K] } = {};
  let any = false;
  if (packet.contentType !== undefined) {
    properties.contentType = packet.contentType;
    any = true;
  }
  if (packet.payloadFormat === 1) {
    properties.textPayload = true;
    any = true;
  }
  if (packet.responseTopic !== undefined) {
    const fault = topicFault(packet.responseTopic, limits);
    if (fault !== undefined) throw new BrokerError('protocol', `the Response Topic ${fault} [MQTT-3.3.2-14]`);
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
    const id = packet.user.find(([name]) => name === MESSAGE_ID);
    if (id !== undefined) properties.messageId = id[1];
    any = true;
  }
  return any ? properties : undefined;
}

/** The user properties of a PUBLISH to a client: the message's own, and its id where that came another way. */
export function userProperties(message: Message): readonly UserProperty[] {
  const properties = message.properties;
  const user = properties?.user ?? NONE;
  if (properties?.messageId === undefined || user.some(([name]) => name === MESSAGE_ID)) return user;
  return [...user, [MESSAGE_ID, properties.messageId]];
}

const NONE: readonly UserProperty[] = [];

/** Message Expiry Interval: what is left, in seconds, at least 1 for a message not expired yet. */
export function secondsLeft(expiresAt: number, now: number): number {
  return Math.min(0xffffffff, Math.max(1, Math.ceil((expiresAt - now) / 1000)));
}
