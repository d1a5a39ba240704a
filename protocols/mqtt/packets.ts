import type { Qos, UserProperty } from '../../src/core/message.ts';

/** Control packet types (MQTT 5.0, 2.1.2). */
export const TYPE = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
  auth: 15,
} as const;

/** Protocol level in CONNECT: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0. */
export type Version = 3 | 4 | 5;

/** Properties of MQTT 5 as they stand in a packet of a client, whichever of them the packet may have. */
export interface PacketProperties {
  payloadFormat?: number;
  messageExpiry?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Uint8Array;
  subscriptionIdentifiers?: number[];
  sessionExpiry?: number;
  authenticationMethod?: string;
  authenticationData?: Uint8Array;
  requestProblemInformation?: number;
  willDelay?: number;
  requestResponseInformation?: number;
  reasonString?: string;
  receiveMaximum?: number;
  topicAliasMaximum?: number;
  topicAlias?: number;
  maximumPacketSize?: number;
  user?: UserProperty[];
}

export interface WillPacket {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly properties: PacketProperties | undefined;
}

export interface ConnectPacket {
  readonly version: Version;
  readonly cleanStart: boolean;
  /** Seconds; 0: none. */
  readonly keepAlive: number;
  readonly clientId: string;
  readonly userName: string | undefined;
  readonly password: Uint8Array | undefined;
  readonly will: WillPacket | undefined;
  readonly properties: PacketProperties | undefined;
}

/** The one instance a decoder uses for every PUBLISH: valid during the call that brings it. */
export interface PublishPacket {
  /** Empty where an alias stands for it. */
  topic: string;
  qos: Qos;
  retain: boolean;
  dup: boolean;
  packetId: number;
  /** The payload is `data[start, end)`. */
  data: Uint8Array;
  start: number;
  end: number;
  properties: PacketProperties | undefined;
}

export interface SubscribeRequest {
  readonly filter: string;
  readonly qos: Qos;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** 0: send retained messages, 1: only for a new subscription, 2: do not. */
  readonly retainHandling: number;
}

export interface SubscribePacket {
  readonly packetId: number;
  readonly requests: readonly SubscribeRequest[];
  readonly properties: PacketProperties | undefined;
}

export interface UnsubscribePacket {
  readonly packetId: number;
  readonly filters: readonly string[];
}

/** AUTH (MQTT 5.0, 3.15). */
export interface AuthPacket {
  readonly reason: number;
  readonly properties: PacketProperties | undefined;
}

/** What comes out of the decoder, packet by packet. */
export interface PacketHandler {
  connect(packet: ConnectPacket): void;
  publish(packet: PublishPacket): void;
  puback(packetId: number, reason: number, user: readonly UserProperty[] | undefined): void;
  pubrec(packetId: number, reason: number, user: readonly UserProperty[] | undefined): void;
  pubrel(packetId: number): void;
  pubcomp(packetId: number): void;
  subscribe(packet: SubscribePacket): void;
  unsubscribe(packet: UnsubscribePacket): void;
  pingreq(): void;
  disconnect(reason: number, properties: PacketProperties | undefined): void;
  auth(packet: AuthPacket): void;
}
