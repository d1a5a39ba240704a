import { BrokerError } from '../../src/core/errors.ts';
import { kindOf } from './filters.ts';
import {
  type AuthPacket,
  type PacketProperties,
  type SubscribePacket,
  type SubscribeRequest,
  TYPE,
  type UnsubscribePacket,
  type Version,
} from './packets.ts';
import { type PropertyLimits, readProperties } from './properties.ts';
import type { Reader } from './reader.ts';

/**
 * [MQTT-2.1.3-1]: reserved flags have one allowed value each. In MQTT 3.1 (2.1) they are not used, and PUBREL, SUBSCRIBE and
 * UNSUBSCRIBE that are sent again have DUP.
 */
export function requireFlags(type: number, flags: number, version: Version): void {
  if (version === 3) return;
  const expected = type === TYPE.pubrel || type === TYPE.subscribe || type === TYPE.unsubscribe ? 2 : 0;
  if (flags !== expected)
    throw new BrokerError('malformed', `reserved flags are ${flags} where ${expected} is required [MQTT-2.1.3-1]`);
}

export function parseSubscribe(reader: Reader, version: Version, limits: PropertyLimits): SubscribePacket {
  const packetId = requirePacketId(reader);
  const properties = version === 5 ? readProperties(reader, TYPE.subscribe, limits) : undefined;
  const requests: SubscribeRequest[] = [];
  while (reader.left > 0) {
    const filter = reader.string('a topic filter');
    requests.push(subscribeRequest(filter, reader.uint8(), version));
  }
  if (requests.length === 0) throw new BrokerError('protocol', 'SUBSCRIBE without a topic filter [MQTT-3.8.3-2]');
  return { packetId, requests, properties };
}

function subscribeRequest(filter: string, options: number, version: Version): SubscribeRequest {
  const qos = options & 3;
  const retainHandling = (options >> 4) & 3;
  if (qos === 3) throw new BrokerError('protocol', 'a subscription with QoS 3 (3.8.3.1)');
  const reserved = version === 5 ? 0xc0 : 0xfc;
  if ((options & reserved) !== 0)
    throw new BrokerError('malformed', 'reserved bits of the subscription options are set [MQTT-3.8.3-5]');
  // A fault of the whole packet: none of its filters is subscribed to.
  if ((options & 4) !== 0 && kindOf(filter) === 'group')
    throw new BrokerError('protocol', 'No Local on a shared subscription [MQTT-3.8.3-4]');
  if (retainHandling === 3) throw new BrokerError('protocol', 'Retain Handling is 3; 0, 1 and 2 are allowed');
  return {
    filter,
    qos: qos === 0 ? 0 : qos === 1 ? 1 : 2,
    noLocal: (options & 4) !== 0,
    retainAsPublished: (options & 8) !== 0,
    retainHandling,
  };
}

export function parseUnsubscribe(reader: Reader, version: Version, limits: PropertyLimits): UnsubscribePacket {
  const packetId = requirePacketId(reader);
  if (version === 5) readProperties(reader, TYPE.unsubscribe, limits);
  const filters: string[] = [];
  while (reader.left > 0) filters.push(reader.string('a topic filter'));
  if (filters.length === 0) throw new BrokerError('protocol', 'UNSUBSCRIBE without a topic filter [MQTT-3.10.3-2]');
  return { packetId, filters };
}

export function parseDisconnect(
  reader: Reader,
  version: Version,
  limits: PropertyLimits,
): { reason: number; properties: PacketProperties | undefined } {
  let reason = 0;
  let properties: PacketProperties | undefined;
  if (version === 5) {
    if (reader.left > 0) reason = requireReason(reader, TYPE.disconnect);
    if (reader.left > 0) properties = readProperties(reader, TYPE.disconnect, limits);
  }
  if (reader.left > 0) throw new BrokerError('malformed', 'DISCONNECT with more content than it has');
  return { reason, properties };
}

/** Of MQTT 5 only. With nothing in it the reason is 0 (3.15.2.1), which no client may send: that is for the exchange. */
export function parseAuth(reader: Reader, limits: PropertyLimits): AuthPacket {
  const reason = reader.left > 0 ? reader.uint8() : 0;
  const properties = reader.left > 0 ? readProperties(reader, TYPE.auth, limits) : undefined;
  if (reader.left > 0) throw new BrokerError('malformed', 'AUTH with more content than it has');
  return { reason, properties };
}

/** Well formed, and not allowed: a protocol error in the words of 1.2. */
export function requirePacketId(reader: Reader): number {
  const packetId = reader.uint16();
  if (packetId === 0) throw new BrokerError('protocol', 'packet identifier 0 [MQTT-2.2.1-3]');
  return packetId;
}

/** Reason codes above 0 that clients may send (2.4), by packet type. */
const PUBLISH_REASONS: readonly number[] = [0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const RELEASE_REASONS: readonly number[] = [0x92];
const REASONS: ReadonlyMap<number, readonly number[]> = new Map([
  [TYPE.puback, PUBLISH_REASONS],
  [TYPE.pubrec, PUBLISH_REASONS],
  [TYPE.pubrel, RELEASE_REASONS],
  [TYPE.pubcomp, RELEASE_REASONS],
  [TYPE.disconnect, [0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]],
]);

/** One of the packet's own [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.14.2-1]. */
export function requireReason(reader: Reader, type: number): number {
  const reason = reader.uint8();
  if (reason !== 0 && REASONS.get(type)?.includes(reason) !== true)
    throw new BrokerError(
      'protocol',
      `reason code ${reason} is not one that clients send in packet type ${type} (2.4)`,
    );
  return reason;
}
