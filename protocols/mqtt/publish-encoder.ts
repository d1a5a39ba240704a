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
export function publishBytes(message: Message, version: Version, delivery: Delivery): number {
  return layout(message, version, delivery).total;
}

/** Writes a PUBLISH to the connection. Fanned out, a message is encoded once per version and QoS > 0 or not. */
export function writePublish(
  connection: Connection,
  message: Message,
  version: Version,
  delivery: Delivery,
  now: number,
): void {
  if (message.size >= BY_REFERENCE) {
    writeLarge(connection, message, version, delivery, now);
    return;
  }
  if (message.fanout > 1 && delivery.extras === undefined) {
    const slot = (version === 5 ? 2 : 0) + (delivery.qos > 0 ? 1 : 0);
    message.wires ??= [];
    let wire = message.wires[slot];
    if (wire === undefined) {
      wire = encode(message, version, delivery, now);
      message.wires[slot] = wire;
    }
    writeWire(connection, wire, delivery, message.properties?.expiresAt ?? 0, now);
    return;
  }
  const parts = layout(message, version, delivery);
  connection.begin(parts.total);
  const at = connection.reserve(parts.total);
  const buffer = connection.buffer;
  const payloadAt = writeHead(buffer, at, message, parts, delivery, now);
  copyBytes(buffer, payloadAt, message.data, message.start, message.end);
}

function writeWire(connection: Connection, wire: Wire, delivery: Delivery, expiresAt: number, now: number): void {
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
}

function encode(message: Message, version: Version, delivery: Delivery, now: number): Wire {
  const parts = layout(message, version, delivery);
  if (slabUsed + parts.total > slab.length) {
    slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, parts.total));
    slabUsed = 0;
  }
  const start = slabUsed;
  slabUsed += parts.total;
  const payloadAt = writeHead(slab, start, message, parts, delivery, now);
  copyBytes(slab, payloadAt, message.data, message.start, message.end);
  const patch = delivery.qos > 0 ? parts.total - parts.remaining + 2 + parts.topicBytes : -1;
  const wire = { bytes: slab.subarray(start, slabUsed), start: 0, end: parts.total, patch };
  const { expiresAt, textPayload } = message.properties ?? {};
  if (version < 5 || expiresAt === undefined) return wire;
  const properties = payloadAt - start - parts.propertyBytes;
  return { ...wire, expiry: properties + (textPayload === true ? 2 : 0) + 1 };
}

function writeLarge(connection: Connection, message: Message, version: Version, delivery: Delivery, now: number): void {
  const parts = layout(message, version, delivery);
  const head = parts.total - message.size;
  connection.begin(parts.total);
  const at = connection.reserve(head);
  writeHead(connection.buffer, at, message, parts, delivery, now);
  // The payload must outlive the chunk it came in; once kept, all receivers share it.
  connection.attach(message.keep().payload());
}

function firstByte(delivery: Delivery): number {
  return 0x30 | (delivery.dup ? 8 : 0) | (delivery.qos << 1) | (delivery.retain ? 1 : 0);
}

function layout(message: Message, version: Version, delivery: Delivery): Layout {
  const topicBytes = textBytes(message.topic);
  let remaining = 2 + topicBytes + (delivery.qos > 0 ? 2 : 0) + message.size;
  let propertyBytes = -1;
  if (version === 5) {
    propertyBytes =
      message.properties === undefined && delivery.extras === undefined ? 0 : countProperties(message, delivery);
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
): number {
  buffer[start] = firstByte(delivery);
  let at = writeVariable(buffer, start + 1, parts.remaining);
  buffer[at++] = parts.topicBytes >> 8;
  buffer[at++] = parts.topicBytes & 0xff;
  at = writeText(buffer, at, message.topic, parts.topicBytes);
  if (delivery.qos > 0) {
    buffer[at++] = delivery.packetId >> 8;
    buffer[at++] = delivery.packetId & 0xff;
  }
  if (parts.propertyBytes === 0) buffer[at++] = 0;
  else if (parts.propertyBytes > 0) at = writeProperties(buffer, at, message, parts.propertyBytes, delivery, now);
  return at;
}

function countProperties(message: Message, delivery: Delivery): number {
  let bytes = 0;
  const properties = message.properties;
  if (properties !== undefined) {
    const { contentType, textPayload, responseTopic, correlation, expiresAt } = properties;
    if (textPayload === true) bytes += 2;
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
): number {
  let at = writeVariable(buffer, start, bytes);
  const properties = message.properties;
  // Before the message's own: the first of a name counts.
  if (delivery.extras !== undefined) at = writeUser(buffer, at, delivery.extras.user);
  if (properties !== undefined) {
    const { contentType, textPayload, responseTopic, correlation, expiresAt } = properties;
    if (textPayload === true) {
      buffer[at++] = 0x01;
      buffer[at++] = 1;
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
