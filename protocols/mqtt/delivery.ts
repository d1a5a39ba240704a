import type { Message, Qos, UserProperty } from '../../src/core/message.ts';
import type { Subscription } from '../../src/ports/routing.ts';
import type { Delivery, Extras } from './publish-encoder.ts';

/** How a message goes to a client, from those of its subscriptions that match. */

const NO_IDENTIFIERS: readonly number[] = [];
const NO_PROPERTIES: readonly UserProperty[] = [];
const PLAIN: Delivery = { qos: 0, retain: false, dup: false, packetId: 0, extras: undefined };

type Terms = Pick<Subscription, 'qos' | 'identifier' | 'retainAsPublished'>;

/** Overlapping subscriptions deliver once, at the highest of their QoS [MQTT-3.3.4-2], and not above the message's. */
export function effectiveQos(message: Message, subscriptions: readonly Terms[]): Qos {
  if (message.qos === 0) return 0;
  let highest: Qos = 0;
  for (let i = 0; i < subscriptions.length; i++) {
    const qos = subscriptions[i]?.qos ?? 0;
    if (qos > highest) highest = qos;
  }
  return highest < message.qos ? highest : message.qos;
}

/** Subscription Identifiers (3.3.2.3.8), all of them, and `user`; undefined when there is none of either. */
export function extrasOf(
  subscriptions: readonly Terms[],
  user: readonly UserProperty[] = NO_PROPERTIES,
): Extras | undefined {
  let identifiers: number[] | undefined;
  for (let i = 0; i < subscriptions.length; i++) {
    const identifier = subscriptions[i]?.identifier ?? 0;
    if (identifier === 0) continue;
    identifiers ??= [];
    identifiers.push(identifier);
  }
  return identifiers === undefined && user.length === 0
    ? undefined
    : { identifiers: identifiers ?? NO_IDENTIFIERS, user };
}

export function keepsRetain(message: Message, subscriptions: readonly Terms[]): boolean {
  return message.retain && subscriptions.some((each) => each.retainAsPublished);
}

/** A QoS 0 delivery; nothing is allocated for the usual one. */
export function liveDelivery(message: Message, subscriptions: readonly Terms[]): Delivery {
  const first = subscriptions[0];
  if (subscriptions.length === 1 && first?.identifier === 0 && !(message.retain && first.retainAsPublished))
    return PLAIN;
  const retain = keepsRetain(message, subscriptions);
  return { qos: 0, retain, dup: false, packetId: 0, extras: extrasOf(subscriptions) };
}
