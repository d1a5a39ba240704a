import { isUtf8 } from 'node:buffer';
import { escapesValid } from './escape.ts';
import { type Frame, NAME_ESCAPED, VALUE_ESCAPED } from './frame.ts';
import { Refusal } from './refusal.ts';
import { VERSION, type Version } from './version.ts';
import { COMMAND, commandAt, HEADER, LONGEST_COMMAND } from './words.ts';

export interface HeadLimits {
  readonly stompHeaders: number;
  readonly stompHeaderBytes: number;
}

/** What `parseHead` returns when the head is not there in full. */
export const INCOMPLETE = -1;

const NUL = 0;
const LF = 10;
const CR = 13;
const SPACE = 0x20;
const TAB = 0x09;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
/** A carriage return was met in the value; only within `parseHead`. */
const HAS_CR = 4;

/**
 * Parses command and headers at `at` into `frame` and returns where the body begins. `version` is that of the
 * connection, or undefined before CONNECT.
 *
 * Line ends: LF, and CR LF in 1.2 (Augmented BNF) and in a CONNECT, whose sender may speak 1.2. In earlier versions a
 * carriage return is part of the value, unless the command line ended with one: then the sender writes CR LF.
 * Space around names and values counts in 1.1 and 1.2; 1.0 does not say so, and its clients write `key: value`, so that
 * there it is left out.
 */
export function parseHead(
  frame: Frame,
  buffer: Buffer,
  at: number,
  version: Version | undefined,
  limits: HeadLimits,
): number {
  frame.open(buffer, at);
  const headers = skipCommand(buffer, at);
  if (headers === INCOMPLETE) return INCOMPLETE;
  const crlf = buffer[headers - 2] === CR;
  const commandEnd = crlf ? headers - 2 : headers - 1;
  frame.command = commandAt(buffer, at, commandEnd);
  const stripCr = crlf || version === undefined || version === VERSION.v12;
  if (frame.command !== COMMAND.unknown) return parseHeaders(frame, headers, stripCr, version, limits);
  try {
    // The ERROR names its receipt, if that has come.
    parseHeaders(frame, headers, stripCr, version, limits);
  } catch {
    // Whatever they are, there is no such command.
  }
  throw noSuchCommand(buffer.toString('latin1', at, commandEnd));
}

/** Adds the header lines from `p` on to the frame; returns where the body begins. */
function parseHeaders(
  frame: Frame,
  p: number,
  stripCr: boolean,
  version: Version | undefined,
  limits: HeadLimits,
): number {
  const { buffer, start } = frame;
  const end = buffer.length;
  let bits = 0;
  for (;;) {
    if (p >= end) return INCOMPLETE;
    let c = buffer[p] ?? 0;
    if (c === LF) {
      p++;
      break;
    }
    if (c === CR) {
      if (p + 1 >= end) return INCOMPLETE;
      if (buffer[p + 1] === LF) {
        p += 2;
        break;
      }
    }
    const nameStart = p;
    let flags = 0;
    while (c !== COLON) {
      if (c <= CR && (c === LF || c === CR || c === NUL)) throw noColon(buffer, nameStart, p);
      if (c === BACKSLASH) flags |= NAME_ESCAPED;
      bits |= c;
      if (++p >= end) return INCOMPLETE;
      c = buffer[p] ?? 0;
    }
    const nameEnd = p;
    const valueStart = ++p;
    for (; p < end; p++) {
      c = buffer[p] ?? 0;
      if (c > CR && c !== BACKSLASH) {
        bits |= c;
        continue;
      }
      if (c === LF) break;
      if (c === BACKSLASH) flags |= VALUE_ESCAPED;
      else if (c === CR) flags |= HAS_CR;
      else if (c === NUL) throw endsInHead();
    }
    if (p >= end) return INCOMPLETE;
    if (p - nameStart > limits.stompHeaderBytes) throw headerTooLong(limits);
    if (frame.count >= limits.stompHeaders) throw tooManyHeaders(limits);
    let valueEnd = p;
    if ((flags & HAS_CR) !== 0) {
      if (stripCr && buffer[p - 1] === CR) valueEnd--;
      if (version === VERSION.v12 && buffer.subarray(valueStart, valueEnd).includes(CR)) throw bareReturn();
      flags &= ~HAS_CR;
    }
    addHeader(frame, nameStart, nameEnd, valueStart, valueEnd, flags, version);
    p++;
  }
  if (bits > 0x7f) {
    frame.ascii = false;
    if (!isUtf8(buffer.subarray(start, p))) {
      throw new Refusal(
        'malformed',
        'the headers are not valid UTF-8',
        'Encode them as UTF-8 (STOMP 1.2, Value Encoding).',
      );
    }
  }
  return p;
}

/** The offset behind the command line. Anything but capital letters is refused at its first byte. */
function skipCommand(buffer: Buffer, at: number): number {
  const end = buffer.length;
  let p = at;
  for (; p < end; p++) {
    const c = buffer[p] ?? 0;
    if (c >= 0x41 && c <= 0x5a) {
      if (p - at >= LONGEST_COMMAND) break;
      continue;
    }
    if (c === LF && p > at) return p + 1;
    if (c === CR && p > at) {
      if (p + 1 === end) return INCOMPLETE;
      if (buffer[p + 1] === LF) return p + 2;
    }
    break;
  }
  if (p === end) return INCOMPLETE;
  throw noCommand();
}

function addHeader(
  frame: Frame,
  nameStart: number,
  nameEnd: number,
  valueStart: number,
  valueEnd: number,
  flags: number,
  version: Version | undefined,
): void {
  if (version === VERSION.v10) {
    const { buffer } = frame;
    const from = skipBlanks(buffer, nameStart, nameEnd);
    const to = trimBlanks(buffer, from, nameEnd);
    const valueFrom = skipBlanks(buffer, valueStart, valueEnd);
    if (from === to) throw noName();
    frame.add(from, to, valueFrom, trimBlanks(buffer, valueFrom, valueEnd), 0);
    return;
  }
  if (nameStart === nameEnd) throw noName();
  // Before CONNECT nothing is escaped: a backslash is one.
  if (version === undefined) flags = 0;
  if (flags !== 0 && version !== undefined && !escapesValid(frame.buffer, nameStart, valueEnd, version)) {
    const known = version === VERSION.v12 ? '\\r, \\n, \\c and \\\\' : '\\n, \\c and \\\\';
    throw new Refusal(
      'malformed',
      'a header has a backslash that begins no escape sequence',
      `There are ${known}; a backslash itself is written \\\\ (STOMP 1.2, Value Encoding).`,
    );
  }
  frame.add(nameStart, nameEnd, valueStart, valueEnd, flags);
}

function skipBlanks(buffer: Buffer, start: number, end: number): number {
  while (start < end && (buffer[start] === SPACE || buffer[start] === TAB)) start++;
  return start;
}

function trimBlanks(buffer: Buffer, start: number, end: number): number {
  while (end > start && (buffer[end - 1] === SPACE || buffer[end - 1] === TAB || buffer[end - 1] === CR)) end--;
  return end;
}

/**
 * The declared length of the body of a frame that can have one; -1 when none is declared. Where there is no body, as in an ACK
 * with all headers of its MESSAGE, its length is another frame's. A value beyond all limits counts as just that: it is
 * refused for its size. `version` is undefined before CONNECT: its sender may speak 1.0, and write space around values.
 */
export function contentLength(frame: Frame, version: Version | undefined): number {
  if (!frame.has(HEADER.contentLength) || frame.command === COMMAND.ack || frame.command === COMMAND.nack) return -1;
  const { buffer } = frame;
  let start = frame.valueStart(HEADER.contentLength);
  let end = frame.valueEnd(HEADER.contentLength);
  if (version === undefined) {
    start = skipBlanks(buffer, start, end);
    end = trimBlanks(buffer, start, end);
  }
  let length = start === end ? Number.NaN : 0;
  for (let i = start; i < end; i++) {
    const digit = (buffer[i] ?? 0) - 0x30;
    length = digit >= 0 && digit <= 9 ? length * 10 + digit : Number.NaN;
  }
  if (Number.isNaN(length)) {
    throw new Refusal(
      'malformed',
      'content-length is not a number of bytes',
      'Only the digits 0 to 9 are expected in it.',
    );
  }
  return length;
}

export function headerTooLong({ stompHeaderBytes }: HeadLimits): Refusal {
  const detail = `a header line has more than ${stompHeaderBytes} bytes (limits.stompHeaderBytes)`;
  return new Refusal('tooLarge', detail, 'What is long belongs in the body; else the limit has to be raised.');
}

export function tooManyHeaders({ stompHeaders }: HeadLimits): Refusal {
  const detail = `the frame has more than ${stompHeaders} headers (limits.stompHeaders)`;
  return new Refusal('tooLarge', detail, 'Leave some out; else the limit has to be raised.');
}

export function noCommand(): Refusal {
  return new Refusal(
    'malformed',
    'the frame does not begin with a STOMP command and a line end',
    'Is this client meant for another protocol or port? If not: is the content-length of the frame before it right?',
    'Bad command',
  );
}

function noSuchCommand(name: string): Refusal {
  const advice = 'Commands are upper case, as in CONNECT or SEND.';
  return new Refusal('malformed', `${name} is not a command`, advice, 'Bad command');
}

function noColon(buffer: Buffer, start: number, end: number): Refusal {
  if (buffer[end] === NUL) return endsInHead();
  const line = buffer.toString('latin1', start, Math.min(end, start + 40));
  return new Refusal(
    'malformed',
    `the header line "${line}" has no colon`,
    'Headers are written name:value, and an empty line ends them.',
  );
}

function noName(): Refusal {
  return new Refusal('malformed', 'a header line has no name before its colon', 'Headers are written name:value.');
}

export function endsInHead(): Refusal {
  return new Refusal(
    'malformed',
    'the frame ends (null byte) within its headers',
    'An empty line must follow the headers, also where there is no body.',
  );
}

function bareReturn(): Refusal {
  return new Refusal('malformed', 'a header has a carriage return within its value', 'In STOMP 1.2 it is written \\r.');
}
