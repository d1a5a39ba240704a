import { BrokerError } from '../../src/core/errors.ts';
import type { PacketProperties } from './packets.ts';
import type { Reader } from './reader.ts';

/** Which packets a property may stand in, as bits by packet type (MQTT 5.0, table 2-4); bit 0 is the will. */
const WILL = 1 << 0;
const CONNECT = 1 << 1;
const CONNACK = 1 << 2;
const PUBLISH = 1 << 3;
const SUBSCRIBE = 1 << 8;
const DISCONNECT = 1 << 14;
const AUTH = 1 << 15;
/** PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK. */
const ANSWERS = (1 << 4) | (1 << 5) | (1 << 6) | (1 << 7) | (1 << 9) | (1 << 11);
const EVERY = 0xffff;

export const WILL_PROPERTIES = 0;

interface PropertyKind {
  readonly name: string;
  readonly packets: number;
}

/** By identifier. */
const KINDS = new Map<number, PropertyKind>([
  [0x01, { name: 'Payload Format Indicator', packets: PUBLISH | WILL }],
  [0x02, { name: 'Message Expiry Interval', packets: PUBLISH | WILL }],
  [0x03, { name: 'Content Type', packets: PUBLISH | WILL }],
  [0x08, { name: 'Response Topic', packets: PUBLISH | WILL }],
  [0x09, { name: 'Correlation Data', packets: PUBLISH | WILL }],
  [0x0b, { name: 'Subscription Identifier', packets: PUBLISH | SUBSCRIBE }],
  [0x11, { name: 'Session Expiry Interval', packets: CONNECT | CONNACK | DISCONNECT }],
  [0x15, { name: 'Authentication Method', packets: CONNECT | CONNACK | AUTH }],
  [0x16, { name: 'Authentication Data', packets: CONNECT | CONNACK | AUTH }],
  [0x17, { name: 'Request Problem Information', packets: CONNECT }],
  [0x18, { name: 'Will Delay Interval', packets: WILL }],
  [0x19, { name: 'Request Response Information', packets: CONNECT }],
  [0x1c, { name: 'Server Reference', packets: CONNACK | DISCONNECT }],
  [0x1f, { name: 'Reason String', packets: CONNACK | DISCONNECT | AUTH | ANSWERS }],
  [0x21, { name: 'Receive Maximum', packets: CONNECT | CONNACK }],
  [0x22, { name: 'Topic Alias Maximum', packets: CONNECT | CONNACK }],
  [0x23, { name: 'Topic Alias', packets: PUBLISH }],
  [0x26, { name: 'User Property', packets: EVERY }],
  [0x27, { name: 'Maximum Packet Size', packets: CONNECT | CONNACK }],
]);

/** What a reader of properties needs to know of limits. */
export interface PropertyLimits {
  readonly userProperties: number;
  readonly userPropertyBytes: number;
}

/**
 * Reads a packet's properties. `packet` is its type, or `WILL_PROPERTIES`. Unknown, misplaced, repeated and
 * out-of-range ones are refused with the reason code the specification names (2.2.2.2).
 */
export function readProperties(reader: Reader, packet: number, limits: PropertyLimits): PacketProperties | undefined {
  const length = reader.variableInteger();
  if (length === 0) return undefined;
  const end = reader.at + length;
  if (end > reader.end) throw new BrokerError('malformed', 'the properties reach beyond the packet');
  const properties: PacketProperties = {};
  const seen = new Set<number>();
  let userBytes = 0;
  const outer = reader.end;
  reader.end = end;
  while (reader.at < end) {
    const id = reader.variableInteger();
    const kind = KINDS.get(id);
    if (kind === undefined || (kind.packets & (1 << packet)) === 0) {
      throw new BrokerError(
        'malformed',
        `${kind?.name ?? `property 0x${id.toString(16)}`} is not a property of this packet`,
      );
    }
    if (id === 0x26) {
      properties.user ??= [];
      const from = reader.at;
      properties.user.push([reader.string(kind.name), reader.string(kind.name)]);
      userBytes += reader.at - from;
      if (properties.user.length > limits.userProperties || userBytes > limits.userPropertyBytes) {
        throw new BrokerError('quota', 'too many User Properties (limits.userProperties, limits.userPropertyBytes)');
      }
      continue;
    }
    // Subscription Identifiers repeat only in what servers send (3.8.2.1.2).
    if (seen.has(id)) throw new BrokerError('protocol', `${kind.name} stands in the packet twice`);
    seen.add(id);
    readOne(reader, id, kind.name, properties);
  }
  reader.end = outer;
  return properties;
}

function readOne(reader: Reader, id: number, name: string, properties: PacketProperties): void {
  switch (id) {
    case 0x01:
      properties.payloadFormat = flag(reader, name);
      return;
    case 0x02:
      properties.messageExpiry = reader.uint32();
      return;
    case 0x03:
      properties.contentType = reader.string(name);
      return;
    case 0x08:
      properties.responseTopic = reader.string(name);
      return;
    case 0x09:
      properties.correlationData = reader.binary();
      return;
    case 0x0b:
      properties.subscriptionIdentifiers = [positive(reader.variableInteger(), name)];
      return;
    case 0x11:
      properties.sessionExpiry = reader.uint32();
      return;
    case 0x15:
      properties.authenticationMethod = reader.string(name);
      return;
    case 0x16:
      properties.authenticationData = reader.binary();
      return;
    case 0x17:
      properties.requestProblemInformation = flag(reader, name);
      return;
    case 0x18:
      properties.willDelay = reader.uint32();
      return;
    case 0x19:
      properties.requestResponseInformation = flag(reader, name);
      return;
    case 0x1c:
      // Of all packets that clients send only DISCONNECT may have it, and only the server's (3.14.2.2.5).
      throw new BrokerError('protocol', `${name} is a property of what servers send`);
    case 0x1f:
      properties.reasonString = reader.string(name);
      return;
    case 0x21:
      properties.receiveMaximum = positive(reader.uint16(), name);
      return;
    case 0x22:
      properties.topicAliasMaximum = reader.uint16();
      return;
    case 0x23:
      // 0 is answered with 0x94 by the channel, which knows the maximum as well.
      properties.topicAlias = reader.uint16();
      return;
    case 0x27:
      properties.maximumPacketSize = positive(reader.uint32(), name);
  }
}

function flag(reader: Reader, name: string): number {
  const value = reader.uint8();
  if (value > 1) throw new BrokerError('protocol', `${name} is ${value}; 0 and 1 are allowed`);
  return value;
}

function positive(value: number, name: string): number {
  if (value === 0) throw new BrokerError('protocol', `${name} is 0, which is not allowed`);
  return value;
}
