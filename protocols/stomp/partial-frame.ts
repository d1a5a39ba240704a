import { Frame } from './frame.ts';
import {
  contentLength,
  endsInHead,
  type HeadLimits,
  headerTooLong,
  INCOMPLETE,
  noCommand,
  parseHead,
  tooManyHeaders,
} from './head.ts';
import { Refusal } from './refusal.ts';
import type { Version } from './version.ts';
import { LONGEST_COMMAND } from './words.ts';

export interface DecoderLimits extends HeadLimits {
  readonly loginPacketBytes: number;
  readonly packetBytes: number;
}

/**
 * - `head`: the empty line has not been seen.
 * - `counted`: the content-length says how many bytes the frame has.
 * - `open`: the next null byte ends the frame.
 */
type State = 'head' | 'counted' | 'open';

const NUL = 0;
const LF = 10;
const CR = 13;

const EMPTY = Buffer.alloc(0);
const frame = new Frame();

/**
 * A frame of which a chunk brought only the beginning. It grows with what arrives, not with what was announced, and
 * each byte is looked at once on its way in.
 */
export class PartialFrame {
  readonly #limits: DecoderLimits;
  #state: State = 'head';
  #buffer = EMPTY;
  #length = 0;
  /** In the head: bytes seen of the line at hand, and lines before it. */
  #line = 0;
  #lines = 0;
  /** Bytes it has where they are counted. */
  #total = 0;

  constructor(limits: DecoderLimits) {
    this.#limits = limits;
  }

  /** What has come of it. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /**
   * Takes from the chunk what is its own; returns the offset behind its last byte, or INCOMPLETE when all was taken. Throws a
   * Refusal for bytes that are no frame, as soon as that is certain.
   */
  add(chunk: Buffer, from: number, version: Version | undefined, maxBytes: number): number {
    let at = from;
    if (this.#state === 'head') {
      at = this.#addHead(chunk, from, version, maxBytes);
      if (at === INCOMPLETE) return INCOMPLETE;
    }
    if (this.#state === 'counted') {
      const end = Math.min(chunk.length, at + this.#total - this.#length);
      this.#append(chunk, at, end);
      return this.#length === this.#total ? end : INCOMPLETE;
    }
    const nul = chunk.indexOf(NUL, at);
    const end = nul === -1 ? chunk.length : nul + 1;
    if (this.#length + end - at > maxBytes) throw frameTooLarge(maxBytes, this.#limits);
    this.#append(chunk, at, end);
    return nul === -1 ? INCOMPLETE : end;
  }

  #addHead(chunk: Buffer, from: number, version: Version | undefined, maxBytes: number): number {
    const limits = this.#limits;
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte !== LF) {
        // A line of one carriage return is empty. Bytes are counted as they come, so that no line outgrows its limit.
        this.#line++;
        // Who speaks another protocol is told at once, not when it happens to send an empty line.
        if (this.#lines === 0 && !inCommand(byte, this.#line)) throw noCommand();
        if (this.#line > limits.stompHeaderBytes) throw headerTooLong(limits);
        if (byte === NUL) throw endsInHead();
        continue;
      }
      const last = at > from ? chunk[at - 1] : this.#buffer[this.#length - 1];
      if (this.#lines > 0 && (this.#line === 0 || (this.#line === 1 && last === CR))) {
        this.#append(chunk, from, at + 1);
        this.#measure(version, maxBytes);
        return at + 1;
      }
      this.#line = 0;
      // The first line is the command's.
      if (++this.#lines > limits.stompHeaders + 1) throw tooManyHeaders(limits);
    }
    if (this.#length + chunk.length - from > maxBytes) throw frameTooLarge(maxBytes, limits);
    this.#append(chunk, from, chunk.length);
    return INCOMPLETE;
  }

  /** The head is complete: how does the body end? */
  #measure(version: Version | undefined, maxBytes: number): void {
    const head = this.#length;
    parseHead(frame, this.bytes, 0, version, this.#limits);
    const length = contentLength(frame, version);
    this.#state = length < 0 ? 'open' : 'counted';
    this.#total = head + length + 1;
    if (Math.max(head, this.#total) > maxBytes) throw frameTooLarge(maxBytes, this.#limits);
  }

  #append(chunk: Buffer, from: number, to: number): void {
    const length = this.#length + to - from;
    if (length > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, this.#buffer.length * 2, 64));
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    chunk.copy(this.#buffer, this.#length, from, to);
    this.#length = length;
  }
}

/** Whether this can be byte `place` of the line of a command, its CR included. */
function inCommand(byte: number | undefined, place: number): boolean {
  return byte !== undefined && place <= LONGEST_COMMAND + 1 && ((byte >= 0x41 && byte <= 0x5a) || byte === CR);
}

export function frameTooLarge(maxBytes: number, limits: DecoderLimits): Refusal {
  const key = maxBytes === limits.packetBytes ? 'packetBytes' : 'loginPacketBytes';
  const detail = `the frame is larger than ${maxBytes} bytes (limits.${key})`;
  return new Refusal('tooLarge', detail, 'Send less at a time; else the limit has to be raised.');
}
