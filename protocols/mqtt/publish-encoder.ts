import { copyBytes, textBytes, writeText } from '../../src/core/bytes.ts';
import type { Message, Qos, UserProperty, Wire } from '../../src/core/message.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { secondsLeft, userProperties } from './mapping.ts';
import type { Version } from './packets.ts';
import { variableBytes, writeString, writeVariable } from './variable.ts';

/** Payloads from here on go out by reference; below, copying is cheaper. Bytes. */
const BY_REFERENCE = 16 * 1024;
/** Encodings of fanned-out messages are cut from slabs of this many bytes. */
const SLAB_BYTES = 64 * 1024;

export interface Delivery {
  readonly qos: Qos;
  readonly retain: boolean;
  readonly dup: boolean;
  /** 0 at QoS 0. */
  readonly packetId: number;
  /** undefined for most. */
  readonly extras: Extras | undefined;
}

/** What only this delivery of a message has (MQTT 5). */
export interface Extras {
  /** Subscription Identifiers. */
  readonly identifiers: readonly number[];
  readonly user: readonly UserProperty[];
}

const NO_IDENTIFIERS: readonly number[] = [];

/**
 * How a PUBLISH names its topic (3.3.2.3.4): by the topic (`BY_TOPIC`); by this Topic Alias instead; or, with the bit
 * `BY_BOTH`, by the topic and the alias that is to stand for it from here on.
 */
export type Naming = number;
export const BY_TOPIC: Naming = 0;
export const BY_BOTH = 0x10000;
/** Bytes of the property Topic Alias. */
const ALIAS_BYTES = 3;

/** Where a PUBLISH has its parts; computed once, written once. */
interface Layout {
  readonly topicBytes: number;
  /** Bytes of all properties without their length; -1: no properties (before MQTT 5). */
  readonly propertyBytes: number;
  readonly remaining: number;
  readonly total: number;
}

let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
let slabUsed = 0;

/**
 * Bytes of the PUBLISH that `writePublish` would write, for Maximum Packet Size: the packet includes its fixed header.
 */
export function publishBytes(message: Message, version: Version, delivery: Delivery, naming: Naming): number {
  return layout(message, version, delivery, naming).total;
}

/**
 * Writes a PUBLISH to the connection. Fanned out, a message is encoded once per version, QoS > 0 or not, and way of naming
 * its topic; whatever the alias, which is written into the copy.
 */
export function writePublish(
  connection: Connection,
  message: Message,
  version: Version,
  delivery: Delivery,
  now: number,
  naming: Naming,
): void {
  if (message.size >= BY_REFERENCE) {
    writeLarge(connection, message, version, delivery, now, naming);
    return;
  }
  if (message.fanout > 1 && delivery.extras === undefined) {
    let slot = (version === 5 ? 2 : 0) + (delivery.qos > 0 ? 1 : 0);
    if (naming !== BY_TOPIC) slot += naming < BY_BOTH ? 2 : 4;
    message.wires ??= [];
    let wire = message.wires[slot];
    if (wire === undefined) {
      wire = encode(message, version, delivery, now, naming);
      message.wires[slot] = wire;
    }
    const at = writeWire(connection, wire, delivery, message.properties?.expiresAt ?? 0, now);
    if (naming !== BY_TOPIC) patchAlias(connection.buffer, at, delivery.qos, naming);
    return;
  }
  if (message.properties === undefined && delivery.extras === undefined && naming === BY_TOPIC) {
    writePlain(connection, message, version, delivery);
    return;
  }
  const parts = layout(message, version, delivery, naming);
  connection.begin(parts.total);
  const at = connection.reserve(parts.total);
  const buffer = connection.buffer;
  const payloadAt = writeHead(buffer, at, message, parts, delivery, now, naming);
  copyBytes(buffer, payloadAt, message.data, message.start, message.end);
}

/** The usual message: topic and payload, for one subscriber. Making a layout for it would be some 8 % of a broker's time at QoS 0. */
function writePlain(connection: Connection, message: Message, version: Version, delivery: Delivery): void {
  const { topic } = message;
  const { qos, packetId } = delivery;
  const topicBytes = textBytes(topic);
  const remaining = 2 + topicBytes + (qos > 0 ? 2 : 0) + (version === 5 ? 1 : 0) + message.size;
  const total = 1 + variableBytes(remaining) + remaining;
  connection.begin(total);
  let at = connection.reserve(total);
  const { buffer } = connection;
  buffer[at] = firstByte(delivery);
  at = writeVariable(buffer, at + 1, remaining);
  buffer[at++] = topicBytes >> 8;
  buffer[at++] = topicBytes & 0xff;
  at = writeText(buffer, at, topic, topicBytes);
  if (qos > 0) {
    buffer[at++] = packetId >> 8;
    buffer[at++] = packetId & 0xff;
  }
  // No properties.
  if (version === 5) buffer[at++] = 0;
  copyBytes(buffer, at, message.data, message.start, message.end);
}

/** Returns where it is in the connection's buffer. */
function writeWire(connection: Connection, wire: Wire, delivery: Delivery, expiresAt: number, now: number): number {
  const total = wire.bytes.length;
  connection.begin(total);
  const at = connection.reserve(total);
  const buffer = connection.buffer;
  buffer.set(wire.bytes, at);
  buffer[at] = firstByte(delivery);
  if (wire.patch >= 0) {
    buffer[at + wire.patch] = delivery.packetId >> 8;
    buffer[at + wire.patch + 1] = delivery.packetId & 0xff;
  }
  if (wire.expiry !== undefined) buffer.writeUInt32BE(secondsLeft(expiresAt, now), at + wire.expiry);
  return at;
}

/** In a PUBLISH whose first property is the Topic Alias. */
function patchAlias(buffer: Buffer, start: number, qos: Qos, naming: Naming): void {
  const topicAt = behindVariable(buffer, start + 1);
  const topicBytes = ((buffer[topicAt] ?? 0) << 8) | (buffer[topicAt + 1] ?? 0);
  const at = behindVariable(buffer, topicAt + 2 + topicBytes + (qos > 0 ? 2 : 0)) + 1;
  buffer[at] = (naming >> 8) & 0xff;
  buffer[at + 1] = naming & 0xff;
}

function behindVariable(bytes: Uint8Array, start: number): number {
  let at = start;
  while ((bytes[at] ?? 0) > 0x7f) at++;
  return at + 1;
}

function encode(message: Message, version: Version, delivery: Delivery, now: number, naming: Naming): Wire {
  const parts = layout(message, version, delivery, naming);
  if (slabUsed + parts.total > slab.length) {
    slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, parts.total));
    slabUsed = 0;
  }
  const start = slabUsed;
  slabUsed += parts.total;
  const payloadAt = writeHead(slab, start, message, parts, delivery, now, naming);
  copyBytes(slab, payloadAt, message.data, message.start, message.end);
  const patch = delivery.qos > 0 ? parts.total - parts.remaining + 2 + parts.topicBytes : -1;
  const wire = { bytes: slab.subarray(start, slabUsed), start: 0, end: parts.total, patch };
  const { expiresAt, textPayload } = message.properties ?? {};
  if (version < 5 || expiresAt === undefined) return wire;
  const properties = payloadAt - start - parts.propertyBytes + (naming === BY_TOPIC ? 0 : ALIAS_BYTES);
  return { ...wire, expiry: properties + (textPayload === undefined ? 0 : 2) + 1 };
}

function writeLarge(
  connection: Connection,
  message: Message,
  version: Version,
  delivery: Delivery,
  now: number,
  naming: Naming,
): void {
  const parts = layout(message, version, delivery, naming);
  const head = parts.total - message.size;
  connection.begin(parts.total);
  const at = connection.reserve(head);
  writeHead(connection.buffer, at, message, parts, delivery, now, naming);
  // The payload must outlive the chunk it came in; once kept, all receivers share it.
  connection.attach(message.keep().payload());
}

function firstByte(delivery: Delivery): number {
  return 0x30 | (delivery.dup ? 8 : 0) | (delivery.qos << 1) | (delivery.retain ? 1 : 0);
}

function layout(message: Message, version: Version, delivery: Delivery, naming: Naming): Layout {
  const topicBytes = naming === BY_TOPIC || naming >= BY_BOTH ? textBytes(message.topic) : 0;
  let remaining = 2 + topicBytes + (delivery.qos > 0 ? 2 : 0) + message.size;
  let propertyBytes = -1;
  if (version === 5) {
    propertyBytes =
      message.properties === undefined && delivery.extras === undefined ? 0 : countProperties(message, delivery);
    if (naming !== BY_TOPIC) propertyBytes += ALIAS_BYTES;
    remaining += variableBytes(propertyBytes) + propertyBytes;
  }
  return { topicBytes, propertyBytes, remaining, total: 1 + variableBytes(remaining) + remaining };
}

/** Writes all but the payload; returns where that goes. */
function writeHead(
  buffer: Buffer,
  start: number,
  message: Message,
  parts: Layout,
  delivery: Delivery,
  now: number,
  naming: Naming,
): number {
  buffer[start] = firstByte(delivery);
  let at = writeVariable(buffer, start + 1, parts.remaining);
  buffer[at++] = parts.topicBytes >> 8;
  buffer[at++] = parts.topicBytes & 0xff;
  if (parts.topicBytes > 0) at = writeText(buffer, at, message.topic, parts.topicBytes);
  if (delivery.qos > 0) {
    buffer[at++] = delivery.packetId >> 8;
    buffer[at++] = delivery.packetId & 0xff;
  }
  if (parts.propertyBytes === 0) buffer[at++] = 0;
  else if (parts.propertyBytes > 0)
    at = writeProperties(buffer, at, message, parts.propertyBytes, delivery, now, naming);
  return at;
}

function countProperties(message: Message, delivery: Delivery): number {
  let bytes = 0;
  const properties = message.properties;
  if (properties !== undefined) {
    const { contentType, textPayload, responseTopic, correlation, expiresAt } = properties;
    if (textPayload !== undefined) bytes += 2;
    if (expiresAt !== undefined) bytes += 5;
    if (contentType !== undefined) bytes += 3 + Buffer.byteLength(contentType);
    if (responseTopic !== undefined) bytes += 3 + Buffer.byteLength(responseTopic);
    if (correlation !== undefined) bytes += 3 + correlation.length;
    bytes += countUser(userProperties(message));
  }
  if (delivery.extras !== undefined) {
    bytes += countUser(delivery.extras.user);
    for (const identifier of delivery.extras.identifiers) bytes += 1 + variableBytes(identifier);
  }
  return bytes;
}

function countUser(user: readonly UserProperty[]): number {
  let bytes = 0;
  for (const [name, value] of user) bytes += 5 + Buffer.byteLength(name) + Buffer.byteLength(value);
  return bytes;
}

function writeProperties(
  buffer: Buffer,
  start: number,
  message: Message,
  bytes: number,
  delivery: Delivery,
  now: number,
  naming: Naming,
): number {
  let at = writeVariable(buffer, start, bytes);
  const properties = message.properties;
  // First, where `patchAlias` looks for it.
  if (naming !== BY_TOPIC) {
    buffer[at] = 0x23;
    at = buffer.writeUInt16BE(naming & 0xffff, at + 1);
  }
  // Before the message's own: the first of a name counts.
  if (delivery.extras !== undefined) at = writeUser(buffer, at, delivery.extras.user);
  if (properties !== undefined) {
    const { contentType, textPayload, responseTopic, correlation, expiresAt } = properties;
    if (textPayload !== undefined) {
      buffer[at++] = 0x01;
      buffer[at++] = textPayload ? 1 : 0;
    }
    if (expiresAt !== undefined) {
      buffer[at] = 0x02;
      at = buffer.writeUInt32BE(secondsLeft(expiresAt, now), at + 1);
    }
    if (contentType !== undefined) at = writeProperty(buffer, at, 0x03, contentType);
    if (responseTopic !== undefined) at = writeProperty(buffer, at, 0x08, responseTopic);
    if (correlation !== undefined) {
      buffer[at] = 0x09;
      at = buffer.writeUInt16BE(correlation.length, at + 1);
      buffer.set(correlation, at);
      at += correlation.length;
    }
    at = writeUser(buffer, at, userProperties(message));
  }
  for (const identifier of delivery.extras?.identifiers ?? NO_IDENTIFIERS) {
    buffer[at] = 0x0b;
    at = writeVariable(buffer, at + 1, identifier);
  }
  return at;
}

function writeUser(buffer: Buffer, start: number, user: readonly UserProperty[]): number {
  let at = start;
  for (const [name, value] of user) {
    at = writeProperty(buffer, at, 0x26, name);
    at = writeString(buffer, at, value);
  }
  return at;
}

function writeProperty(buffer: Buffer, at: number, id: number, text: string): number {
  buffer[at] = id;
  return writeString(buffer, at + 1, text);
}
