import type { UserProperty } from '../../src/core/message.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { TYPE, type Version } from './packets.ts';
import { variableBytes, writeString, writeVariable } from './variable.ts';

/** The packets a server sends, except PUBLISH (`publish-encoder.ts`). Properties are given only for MQTT 5. */

/** A property by identifier, with its value as the identifier's type wants it. */
export type Property =
  | readonly [id: 0x11 | 0x27, seconds: number]
  | readonly [id: 0x13 | 0x21 | 0x22, value: number]
  | readonly [id: 0x24 | 0x25 | 0x28 | 0x29 | 0x2a, flag: number]
  | readonly [id: 0x12 | 0x15 | 0x1a | 0x1f, text: string]
  | readonly [id: 0x16, bytes: Uint8Array]
  | readonly [id: 0x26, property: UserProperty];

const NONE: readonly Property[] = [];

export function writeConnack(
  connection: Connection,
  version: Version,
  sessionPresent: boolean,
  code: number,
  properties: readonly Property[] = NONE,
): void {
  const extra = version === 5 ? sectionBytes(properties) : 0;
  let at = open(connection, TYPE.connack << 4, 2 + extra);
  const buffer = connection.buffer;
  // MQTT 3.1 has no such flag: the byte is reserved there (3.2).
  buffer[at++] = sessionPresent && version > 3 ? 1 : 0;
  buffer[at++] = code;
  if (version === 5) writeSection(buffer, at, properties);
}

/** What a client can do without: Response Information, Topic Alias Maximum, Maximum Packet Size. */
const OPTIONAL: readonly Property[0][] = [0x1a, 0x22, 0x27];

/**
 * For CONNACK to a client that takes so many bytes [MQTT-3.1.2-24]: without what it can do without, as far as there is no room
 * for it. undefined: there is no room for the rest either.
 */
export function fitting(properties: readonly Property[], bytes: number): readonly Property[] | undefined {
  let left = properties;
  for (const optional of OPTIONAL) {
    if (connackBytes(left) <= bytes) return left;
    left = left.filter(([id]) => id !== optional);
  }
  return connackBytes(left) <= bytes ? left : undefined;
}

/** Of CONNACK to an MQTT 5 client. */
export function connackBytes(properties: readonly Property[]): number {
  const content = 2 + sectionBytes(properties);
  return 1 + variableBytes(content) + content;
}

/** PUBACK, PUBREC, PUBREL, PUBCOMP. Reason 0 with nothing behind it is left out, as the specification allows (3.4.2.1). */
export function writeAcknowledgement(
  connection: Connection,
  type: 4 | 5 | 6 | 7,
  version: Version,
  packetId: number,
  reason: number,
  properties: readonly Property[] = NONE,
): void {
  const withReason = version === 5 && (reason !== 0 || properties.length > 0);
  const extra = withReason ? 1 + optionalBytes(properties) : 0;
  let at = open(connection, (type << 4) | (type === TYPE.pubrel ? 2 : 0), 2 + extra);
  const buffer = connection.buffer;
  buffer[at++] = packetId >> 8;
  buffer[at++] = packetId & 0xff;
  if (withReason) {
    buffer[at++] = reason;
    if (properties.length > 0) writeSection(buffer, at, properties);
  }
}

/** SUBACK, and UNSUBACK, which has codes only in MQTT 5. */
export function writeCodes(
  connection: Connection,
  type: 9 | 11,
  version: Version,
  packetId: number,
  codes: readonly number[],
  properties: readonly Property[] = NONE,
): void {
  const listed = type === TYPE.suback || version === 5 ? codes : [];
  let at = open(connection, type << 4, 2 + (version === 5 ? sectionBytes(properties) : 0) + listed.length);
  const buffer = connection.buffer;
  buffer[at++] = packetId >> 8;
  buffer[at++] = packetId & 0xff;
  if (version === 5) at = writeSection(buffer, at, properties);
  for (const code of listed) buffer[at++] = code;
}

export function writePingresp(connection: Connection): void {
  open(connection, TYPE.pingresp << 4, 0);
}

/** MQTT 5 only: earlier versions have no DISCONNECT from the server. */
export function writeDisconnect(connection: Connection, reason: number, properties: readonly Property[]): void {
  let at = open(connection, TYPE.disconnect << 4, 1 + optionalBytes(properties));
  connection.buffer[at++] = reason;
  if (properties.length > 0) writeSection(connection.buffer, at, properties);
}

export function writeAuth(connection: Connection, reason: number, properties: readonly Property[]): void {
  let at = open(connection, TYPE.auth << 4, 1 + sectionBytes(properties));
  connection.buffer[at++] = reason;
  writeSection(connection.buffer, at, properties);
}

/** Bytes of the packet that `writeAuth` writes. */
export function authBytes(properties: readonly Property[]): number {
  const remaining = 1 + sectionBytes(properties);
  return 1 + variableBytes(remaining) + remaining;
}

/** Reason String, cut to what a property may hold. */
export function reasonString(text: string): Property {
  return [0x1f, text.length > 1024 ? `${text.slice(0, 1024)}…` : text];
}

/** Makes room for a packet and writes its fixed header; returns where the rest goes. */
function open(connection: Connection, first: number, remaining: number): number {
  const total = 1 + variableBytes(remaining) + remaining;
  connection.begin(total);
  const at = connection.reserve(total);
  connection.buffer[at] = first;
  return writeVariable(connection.buffer, at + 1, remaining);
}

/** Behind a reason code, where no properties need not even be said (3.4.2.2.1, 3.14.2.2.1). */
function optionalBytes(properties: readonly Property[]): number {
  return properties.length > 0 ? sectionBytes(properties) : 0;
}

function sectionBytes(properties: readonly Property[]): number {
  const bytes = contentBytes(properties);
  return variableBytes(bytes) + bytes;
}

function contentBytes(properties: readonly Property[]): number {
  let bytes = 0;
  for (const [id, value] of properties) {
    if (typeof value === 'string') bytes += 3 + Buffer.byteLength(value);
    else if (typeof value === 'number') bytes += 1 + integerBytes(id);
    else if (value instanceof Uint8Array) bytes += 3 + value.length;
    else bytes += 5 + Buffer.byteLength(value[0]) + Buffer.byteLength(value[1]);
  }
  return bytes;
}

function integerBytes(id: number): 1 | 2 | 4 {
  if (id === 0x11 || id === 0x27) return 4;
  return id === 0x13 || id === 0x21 || id === 0x22 ? 2 : 1;
}

/** Returns the offset behind it. */
function writeSection(buffer: Buffer, start: number, properties: readonly Property[]): number {
  let at = writeVariable(buffer, start, contentBytes(properties));
  for (const [id, value] of properties) {
    buffer[at++] = id;
    if (typeof value === 'string') {
      at = writeString(buffer, at, value);
    } else if (typeof value === 'number') {
      const bytes = integerBytes(id);
      buffer.writeUIntBE(value, at, bytes);
      at += bytes;
    } else if (value instanceof Uint8Array) {
      at = buffer.writeUInt16BE(value.length, at);
      buffer.set(value, at);
      at += value.length;
    } else {
      at = writeString(buffer, writeString(buffer, at, value[0]), value[1]);
    }
  }
  return at;
}
