import type { FaultCode } from '../../src/core/errors.ts';

/** The text layer of `trimaran.v1`: a JSON object in, JSON text out. What the fields mean is `mapping.ts`'s. */

/** Codes of errors: the broker's own, and those that only this protocol tells its clients. */
export type ErrorCode = FaultCode | 'unknownType' | 'overtaken' | 'noListener' | 'noReply';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Why a request is refused. `closes`: the connection cannot go on after it. */
export class RequestError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly closes: boolean;

  constructor(code: ErrorCode, field: string | undefined, text: string, closes = false) {
    super(text);
    this.code = code;
    this.field = field;
    this.closes = closes;
  }
}

/** Characters of a client's own words that are repeated in an error. */
const SHOWN = 64;

export function shown(text: string): string {
  return JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);
}

// --- in ---------------------------------------------------------------------------------------------------------------

/** One message from a client as an object; anything else is the end of the connection. */
export function parseRequest(chunk: Buffer, maxBytes: number): JsonObject {
  if (chunk.length > maxBytes) {
    throw new RequestError(
      'tooLarge',
      undefined,
      `the message has ${chunk.length} bytes; at most ${maxBytes} are taken`,
      true,
    );
  }
  const text = chunk.toString('utf8');
  // Decoding turns invalid bytes into U+FFFD; a transport that checks has not let them through.
  if (text.includes('\ufffd') && escapedBytes(chunk, 0, chunk.length) === -1) {
    throw new RequestError('malformed', undefined, 'the message is not valid UTF-8', true);
  }
  const value = parseJson(text);
  if (isObject(value)) return value;
  throw new RequestError('malformed', undefined, `the message is ${kind(value)}; a JSON object is expected`, true);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8's text cites the input, which may be anything; where it went wrong is enough.
    const position = error instanceof Error ? /at position \d+/.exec(error.message)?.[0] : undefined;
    throw new RequestError('malformed', undefined, `the message is not JSON${position ? ` (${position})` : ''}`, true);
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a value is, in the words of an error text. */
export function kind(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'number' ? 'a number' : typeof value === 'boolean' ? 'a boolean' : 'a string';
}

export function mistyped(field: string, value: unknown, expected: string): RequestError {
  return new RequestError('fieldInvalid', field, `${field} is ${kind(value)}; ${expected} is expected`);
}

/** Refuses fields that the type does not have, by name. */
export function checkFields(request: JsonObject, type: string, known: ReadonlySet<string>): void {
  for (const field in request) {
    if (known.has(field)) continue;
    const shorter = field.length > SHOWN ? `${field.slice(0, SHOWN)}…` : field;
    const expected = [...known].join(', ');
    throw new RequestError('fieldInvalid', shorter, `${type} has no field ${shown(field)}; its fields are ${expected}`);
  }
}

/** A string, or undefined when absent. `null` is not absent. */
export function readText(request: JsonObject, field: string): string | undefined {
  const value = request[field];
  if (value === undefined || typeof value === 'string') return value;
  throw mistyped(field, value, 'a string');
}

/** A string that other protocols can carry in a header: bounded, no null character, no half surrogate pairs. */
export function readHeaderText(request: JsonObject, field: string, maxBytes: number): string | undefined {
  const text = readText(request, field);
  if (text !== undefined) checkHeaderText(text, field, field, maxBytes);
  return text;
}

export function checkHeaderText(text: string, field: string, what: string, maxBytes: number): void {
  const fault =
    text.length > maxBytes || (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes)
      ? `is longer than ${maxBytes} bytes`
      : text.includes('\0')
        ? 'contains the null character'
        : text.isWellFormed()
          ? undefined
          : 'contains half a surrogate pair';
  if (fault !== undefined) throw new RequestError('fieldInvalid', field, `${what} ${fault}`);
}

export function readBoolean(request: JsonObject, field: string): boolean {
  const value = request[field];
  if (value === undefined) return false;
  if (typeof value === 'boolean') return value;
  throw mistyped(field, value, 'true or false');
}

export function readInteger(request: JsonObject, field: string, min: number, max: number): number | undefined {
  const value = request[field];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  const found = typeof value === 'number' ? `${value}` : kind(value);
  throw new RequestError('fieldInvalid', field, `${field} is ${found}; an integer from ${min} to ${max} is expected`);
}

/** One of a few words. */
export function readChoice<T extends string>(request: JsonObject, field: string, words: readonly T[]): T | undefined {
  const text = readText(request, field);
  if (text === undefined) return undefined;
  const found = words.find((word) => word === text);
  if (found !== undefined) return found;
  throw new RequestError('fieldInvalid', field, `${field} is ${shown(text)}; ${words.join(' or ')} is expected`);
}

export function readTime(request: JsonObject, field: string): number | undefined {
  const value = request[field];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  const found = typeof value === 'number' ? `${value}` : kind(value);
  throw new RequestError(
    'fieldInvalid',
    field,
    `${field} is ${found}; milliseconds since 1970, a positive integer, are expected`,
  );
}

/** Ids wait until their request is answered, so that their length matters. */
const ID_LENGTH = 128;

/** A request's id as the JSON text that its answer repeats; undefined when it has none. */
export function readId(request: JsonObject): string | undefined {
  const value = request.id;
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (typeof value === 'string' && value.length <= ID_LENGTH) return quote(value);
  const found = typeof value === 'string' ? 'longer' : kind(value);
  throw new RequestError(
    'fieldInvalid',
    'id',
    `id is ${found}; a number or a string of at most ${ID_LENGTH} characters is expected`,
  );
}

// --- out --------------------------------------------------------------------------------------------------------------

/** A JSON string. */
export function quote(text: string): string {
  return needsEscape(text) ? JSON.stringify(text) : `"${text}"`;
}

/** Something stands in the JSON string otherwise than as itself; halves of surrogate pairs may, which JSON.stringify knows. */
function needsEscape(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code === 0x22 || code === 0x5c || (code >= 0xd800 && code <= 0xdfff)) return true;
  }
  return false;
}

const HEX = Buffer.from('0123456789abcdef', 'latin1');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** The letter behind the backslash for control characters that have one. */
const SHORT_ESCAPES = new Uint8Array(0x20);
SHORT_ESCAPES[0x08] = 0x62;
SHORT_ESCAPES[0x09] = 0x74;
SHORT_ESCAPES[0x0a] = 0x6e;
SHORT_ESCAPES[0x0c] = 0x66;
SHORT_ESCAPES[0x0d] = 0x72;

/** Bytes of `data[start, end)` within a JSON string, or -1 when it is not valid UTF-8: one look at each byte. */
export function escapedBytes(data: Uint8Array, start: number, end: number): number {
  let extra = 0;
  for (let i = start; i < end; i++) {
    const byte = data[i] ?? 0;
    if (byte < 0x80) {
      if (byte < 0x20) extra += SHORT_ESCAPES[byte] === 0 ? 5 : 1;
      else if (byte === QUOTE || byte === BACKSLASH) extra++;
      continue;
    }
    const more = sequenceRest(data, i, end);
    if (more === 0) return -1;
    i += more;
  }
  return end - start + extra;
}

/** How many bytes continue the multi-byte sequence that begins at `at` (RFC 3629); 0 when it is not one. */
function sequenceRest(data: Uint8Array, at: number, end: number): number {
  const first = data[at] ?? 0;
  const more = first < 0xc2 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 0;
  if (more === 0 || at + more >= end) return 0;
  const second = data[at + 1] ?? 0;
  // Overlong forms, surrogates, and what is beyond U+10FFFF show in the second byte.
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i <= more; i++) if (((data[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return more;
}

/** Writes `data[start, end)`, valid UTF-8, as it stands within a JSON string; returns the offset behind it. */
export function writeEscaped(buffer: Buffer, at: number, data: Uint8Array, start: number, end: number): number {
  let offset = at;
  for (let i = start; i < end; i++) {
    const byte = data[i] ?? 0;
    if (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH) {
      buffer[offset++] = byte;
      continue;
    }
    buffer[offset++] = BACKSLASH;
    const short = byte < 0x20 ? SHORT_ESCAPES[byte] : byte;
    if (short !== undefined && short !== 0) {
      buffer[offset++] = short;
    } else {
      offset += buffer.write('u00', offset, 'latin1');
      buffer[offset++] = HEX[byte >> 4] ?? 0;
      buffer[offset++] = HEX[byte & 15] ?? 0;
    }
  }
  return offset;
}
