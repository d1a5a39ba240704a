import { isUtf8 } from 'node:buffer';
import { copyBytes, textBytes, writeText } from '../../src/core/bytes.ts';
import type { Counters } from '../../src/core/counters.ts';
import type { Message, Wire } from '../../src/core/message.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { propertyLines } from './mapping.ts';
import type { Names } from './names.ts';
import type { Version } from './version.ts';

/**
 * A MESSAGE frame is a part of its subscription's (ids, and what is said of the delivery) and a part that all subscribers
 * of one version share, from `destination` to the end. Fanned out, the shared part is encoded once.
 */

/** Bodies from here on go out by reference; below, copying is cheaper. Bytes. */
const BY_REFERENCE = 16 * 1024;
/** Shared parts are cut from slabs of this many bytes. */
const SLAB_BYTES = 64 * 1024;
/** `Message.wires`: STOMP has three of the slots, by version. */
const FIRST_SLOT = 4;

const CONTENT_LENGTH = Buffer.from('content-length:');
const REDELIVERED = Buffer.from('redelivered:true\n');
const FIRST = Buffer.from('redelivered:false\n');
const DELIVERY_COUNT = Buffer.from('delivery-count:');
const POSITION = Buffer.from('position:');
const RETAIN = Buffer.from('retain:true\n');
const BROWSER_END = Buffer.from('browser:end\n');
const LF = 10;
/** Behind the body: the null byte, and the line end that clients expect (`encoder.ts`). */
const TAIL_BYTES = 2;
const DASH = 0x2d;

let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
let slabUsed = 0;

/** What is the same in all MESSAGE frames of a subscription. */
export interface Envelope {
  readonly version: Version;
  /** `MESSAGE\nsubscription:…\nmessage-id:…-`, without the number. */
  readonly start: Buffer;
  /** `\nack:…-`, without the number; undefined where nothing is acknowledged by that header. */
  readonly ack: Buffer | undefined;
  /** Whether frames are WebSocket messages: those with a text body go out as text. */
  readonly webSocket: boolean;
  /** Whether messages say where in the log they are. */
  readonly positions: boolean;
  /** Whether a message may come again: then each says whether it does, as in RabbitMQ. */
  readonly redelivers: boolean;
  /** A topic whose destination is written otherwise to this subscription. */
  readonly own: OwnLine | undefined;
}

export interface OwnLine {
  readonly topic: string;
  /** `destination:…\n` */
  readonly line: Buffer;
}

/** What is said of one delivery. A subscription has one of them, and fills it in for each message. */
export class Stamp {
  /** In which the frame's ids end. */
  number = 0;
  /** How often it was given to a consumer, this time included. */
  count = 1;
  redelivered = false;
  /** It was retained. */
  retain = false;
  /** No message, but the end of them. */
  end = false;
}

export interface Encoding {
  readonly names: Names;
  readonly counters: Counters;
}

/** Writes a MESSAGE. */
export function writeMessage(
  connection: Connection,
  message: Message,
  envelope: Envelope,
  stamp: Stamp,
  encoding: Encoding,
): void {
  const own = ownBytes(message, envelope, stamp);
  if (message.size >= BY_REFERENCE) {
    writeLarge(connection, message, envelope, own, stamp, encoding);
    return;
  }
  if (message.fanout > 1 && envelope.own === undefined) {
    const wire = sharedWire(message, envelope.version, encoding);
    const bytes = wire.end - wire.start;
    connection.begin(own + bytes, wire.patch === TEXT);
    const at = connection.reserve(own + bytes);
    const buffer = connection.buffer;
    copyBytes(buffer, writeOwn(buffer, at, message, envelope, stamp), wire.bytes, wire.start, wire.end);
    return;
  }
  const line = lineOf(message, envelope, encoding);
  const lines = propertyLinesOf(message, envelope.version, encoding);
  const lineBytes = lines === '' ? 0 : textBytes(lines);
  const total = own + headBytes(message, line, lineBytes) + message.size + TAIL_BYTES;
  connection.begin(total, envelope.webSocket && isText(message));
  const at = connection.reserve(total);
  const buffer = connection.buffer;
  const head = writeOwn(buffer, at, message, envelope, stamp);
  const next = writeHead(buffer, head, message, line, lines, lineBytes);
  writeTail(buffer, copyBytes(buffer, next, message.data, message.start, message.end));
}

/** `Wire.patch` says, for STOMP, whether the body is text. */
const TEXT = 1;

function sharedWire(message: Message, version: Version, encoding: Encoding): Wire {
  message.wires ??= [];
  const slot = FIRST_SLOT + version;
  let wire = message.wires[slot];
  if (wire === undefined) {
    wire = encodeShared(message, version, encoding);
    message.wires[slot] = wire;
  }
  return wire;
}

function encodeShared(message: Message, version: Version, encoding: Encoding): Wire {
  const line = encoding.names.line(message.topic, version);
  const lines = propertyLinesOf(message, version, encoding);
  const lineBytes = textBytes(lines);
  const total = headBytes(message, line, lineBytes) + message.size + TAIL_BYTES;
  if (slabUsed + total > slab.length) {
    slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, total));
    slabUsed = 0;
  }
  const start = slabUsed;
  slabUsed += total;
  const at = writeHead(slab, start, message, line, lines, lineBytes);
  writeTail(slab, copyBytes(slab, at, message.data, message.start, message.end));
  return { bytes: slab, start, end: slabUsed, patch: isText(message) ? TEXT : -1 };
}

function writeLarge(
  connection: Connection,
  message: Message,
  envelope: Envelope,
  own: number,
  stamp: Stamp,
  encoding: Encoding,
): void {
  const line = lineOf(message, envelope, encoding);
  const lines = propertyLinesOf(message, envelope.version, encoding);
  const lineBytes = textBytes(lines);
  const head = own + headBytes(message, line, lineBytes);
  connection.begin(head + message.size + TAIL_BYTES, envelope.webSocket && isText(message));
  const at = connection.reserve(head);
  const next = writeOwn(connection.buffer, at, message, envelope, stamp);
  writeHead(connection.buffer, next, message, line, lines, lineBytes);
  // The body must outlive the chunk it came in; once kept, all receivers share it.
  connection.attach(message.keep().payload());
  const tail = connection.reserve(TAIL_BYTES);
  writeTail(connection.buffer, tail);
}

function lineOf({ topic }: Message, { own, version }: Envelope, { names }: Encoding): Buffer {
  return own !== undefined && own.topic === topic ? own.line : names.line(topic, version);
}

function writeTail(buffer: Buffer, at: number): void {
  buffer[at] = 0;
  buffer[at + 1] = LF;
}

function propertyLinesOf(message: Message, version: Version, encoding: Encoding): string {
  return message.properties === undefined && message.qos === 0
    ? ''
    : propertyLines(message, version, encoding.counters);
}

function isText(message: Message): boolean {
  return message.size === 0 || isUtf8(message.payload());
}

/** Live messages and those of queues are at no position. */
function hasPosition({ sequence }: Message, { positions }: Envelope, { retain }: Stamp): boolean {
  return positions && sequence > 0 && !retain;
}

function ownBytes(message: Message, envelope: Envelope, stamp: Stamp): number {
  const { start, ack } = envelope;
  const digits = digitsOf(stamp.number);
  let bytes = start.length + digits + 1;
  if (ack !== undefined) bytes += ack.length + digits;
  if (stamp.redelivered) bytes += REDELIVERED.length;
  else if (envelope.redelivers) bytes += FIRST.length;
  if (stamp.count > 1) bytes += DELIVERY_COUNT.length + digitsOf(stamp.count) + 1;
  if (hasPosition(message, envelope, stamp))
    bytes += POSITION.length + digitsOf(message.shard) + digitsOf(message.sequence) + 2;
  if (stamp.retain) bytes += RETAIN.length;
  if (stamp.end) bytes += BROWSER_END.length;
  return bytes;
}

function writeOwn(buffer: Buffer, start: number, message: Message, envelope: Envelope, stamp: Stamp): number {
  const { number } = stamp;
  let at = writeNumber(buffer, copyAll(buffer, start, envelope.start), number);
  if (envelope.ack !== undefined) at = writeNumber(buffer, copyAll(buffer, at, envelope.ack), number);
  buffer[at++] = LF;
  if (stamp.redelivered) at = copyAll(buffer, at, REDELIVERED);
  else if (envelope.redelivers) at = copyAll(buffer, at, FIRST);
  if (stamp.count > 1) {
    at = writeNumber(buffer, copyAll(buffer, at, DELIVERY_COUNT), stamp.count);
    buffer[at++] = LF;
  }
  if (hasPosition(message, envelope, stamp)) {
    at = writeNumber(buffer, copyAll(buffer, at, POSITION), message.shard);
    buffer[at++] = DASH;
    at = writeNumber(buffer, at, message.sequence);
    buffer[at++] = LF;
  }
  if (stamp.retain) at = copyAll(buffer, at, RETAIN);
  if (stamp.end) at = copyAll(buffer, at, BROWSER_END);
  return at;
}

function copyAll(buffer: Buffer, at: number, bytes: Buffer): number {
  return copyBytes(buffer, at, bytes, 0, bytes.length);
}

/** Bytes of the shared part up to the body. content-length is always there: bodies may have null bytes. */
function headBytes(message: Message, line: Buffer, lineBytes: number): number {
  return line.length + lineBytes + CONTENT_LENGTH.length + digitsOf(message.size) + 2;
}

function writeHead(
  buffer: Buffer,
  start: number,
  message: Message,
  line: Buffer,
  lines: string,
  lineBytes: number,
): number {
  let at = copyBytes(buffer, start, line, 0, line.length);
  if (lineBytes > 0) at = writeText(buffer, at, lines, lineBytes);
  at = copyBytes(buffer, at, CONTENT_LENGTH, 0, CONTENT_LENGTH.length);
  at = writeNumber(buffer, at, message.size);
  buffer[at] = LF;
  buffer[at + 1] = LF;
  return at + 2;
}

function digitsOf(number: number): number {
  let digits = 1;
  for (let rest = number; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  return digits;
}

function writeNumber(buffer: Buffer, start: number, number: number): number {
  const end = start + digitsOf(number);
  let rest = number;
  for (let at = end - 1; at >= start; at--) {
    const next = Math.floor(rest / 10);
    buffer[at] = 0x30 + rest - next * 10;
    rest = next;
  }
  return end;
}
