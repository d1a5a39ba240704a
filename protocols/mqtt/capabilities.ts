import { isUtf8 } from 'node:buffer';
import { BrokerError } from '../../src/core/errors.ts';
import { hasWildcard } from '../../src/core/filter.ts';
import type { Qos } from '../../src/core/message.ts';
import type { Property } from './encoder.ts';
import { kindOf } from './filters.ts';
import type { PublishPacket, SubscribePacket, Version, WillPacket } from './packets.ts';
import type { SubscriptionOptions } from './session-state.ts';

/**
 * What this server offers (MQTT 5.0, 3.2.2.3), as it is configured. Clients of MQTT 5 are told in CONNACK, so that asking for
 * what is not there is an error of theirs, and the reason names it (4.13). Earlier ones cannot be told: what can be refused by
 * itself is, else they are disconnected.
 */
export interface Capabilities {
  /** 0 to 2. */
  readonly maximumQos: number;
  readonly retain: boolean;
  readonly wildcards: boolean;
  readonly subscriptionIdentifiers: boolean;
  readonly sharedSubscriptions: boolean;
  /** Payloads with Payload Format Indicator 1 must be UTF-8; looking costs a walk through each. */
  readonly validatePayloadFormat: boolean;
}

const NOT_OFFERED = 0;

/** For CONNACK: what is absent there is offered. */
export function announced(offer: Capabilities): readonly Property[] {
  const properties: Property[] = [];
  if (offer.maximumQos < 2) properties.push([0x24, offer.maximumQos]);
  if (!offer.retain) properties.push([0x25, NOT_OFFERED]);
  if (!offer.wildcards) properties.push([0x28, NOT_OFFERED]);
  if (!offer.subscriptionIdentifiers) properties.push([0x29, NOT_OFFERED]);
  if (!offer.sharedSubscriptions) properties.push([0x2a, NOT_OFFERED]);
  return properties;
}

/** What a will must not ask for either; throws a BrokerError, and CONNECT is refused [MQTT-3.2.2-12] [MQTT-3.2.2-13]. */
export function checkWill(will: WillPacket, offer: Capabilities): void {
  checkFlags(will.qos, will.retain, offer);
  if (!offer.validatePayloadFormat || will.properties?.payloadFormat !== 1 || isUtf8(will.payload)) return;
  throw new BrokerError('payloadInvalid', 'the payload of the will is not the UTF-8 that its Payload Format says');
}

/** Of PUBLISH: throws a BrokerError, and the connection ends. */
export function checkFlags(qos: Qos, retain: boolean, offer: Capabilities): void {
  if (qos > offer.maximumQos) {
    const detail = `QoS ${qos}; at most ${offer.maximumQos} is offered (mqtt.maximumQos) [MQTT-3.2.2-11]`;
    throw new BrokerError('qosUnsupported', detail);
  }
  if (retain && !offer.retain)
    throw new BrokerError('retainUnsupported', 'RETAIN is 1; messages are not retained (mqtt.retain) [MQTT-3.2.2-14]');
}

/** Of PUBLISH: the payload is not what its Payload Format Indicator says (3.3.2.3.2). */
export function payloadFault({ properties, data, start, end }: PublishPacket): BrokerError | undefined {
  return properties?.payloadFormat !== 1 || isUtf8(data.subarray(start, end))
    ? undefined
    : new BrokerError('payloadInvalid', 'the payload is not the UTF-8 that its Payload Format Indicator says');
}

/** Of SUBSCRIBE: throws a BrokerError where the packet asks an MQTT 5 client's connection to end, before any of it is done. */
export function checkSubscribe({ requests, properties }: SubscribePacket, version: Version, offer: Capabilities): void {
  if (properties?.subscriptionIdentifiers !== undefined && !offer.subscriptionIdentifiers) {
    const detail = 'subscriptions have no identifiers here (mqtt.subscriptionIdentifiers)';
    throw new BrokerError('identifiersUnsupported', detail);
  }
  if (version < 5) return;
  for (const { filter } of requests) {
    const fault = notOffered(filter, offer);
    if (fault !== undefined) throw fault;
  }
}

/** Why there is no subscription with this filter here; undefined where nothing is against it. */
export function notOffered(filter: string, offer: Capabilities): BrokerError | undefined {
  if (!offer.sharedSubscriptions && kindOf(filter) === 'group')
    return new BrokerError(
      'sharedUnsupported',
      `${filter}: there are no shared subscriptions (mqtt.sharedSubscriptions)`,
    );
  if (!offer.wildcards && hasWildcard(filter))
    return new BrokerError('wildcardUnsupported', `${filter}: filters have no wildcards here (mqtt.wildcards)`);
  return undefined;
}

/** What is granted of it: a lower QoS, where a higher one is not offered [MQTT-3.2.2-10], and no flag of retained messages. */
export function granted<T extends Pick<SubscriptionOptions, 'qos' | 'retainAsPublished' | 'identifier'>>(
  options: T,
  { maximumQos, retain, subscriptionIdentifiers }: Capabilities,
): T {
  const { qos, retainAsPublished, identifier } = options;
  return {
    ...options,
    qos: qos <= maximumQos ? qos : maximumQos === 1 ? 1 : 0,
    retainAsPublished: retainAsPublished && retain,
    identifier: subscriptionIdentifiers ? identifier : 0,
  };
}
