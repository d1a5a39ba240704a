import { Frame } from './frame.ts';
import { contentLength, INCOMPLETE, parseHead } from './head.ts';
import { type DecoderLimits, frameTooLarge, PartialFrame } from './partial-frame.ts';
import { Refusal } from './refusal.ts';
import { VERSION, type Version } from './version.ts';
import { COMMAND, HEADER } from './words.ts';

export interface FrameHandler {
  /** The frame is valid during the call. */
  frame(frame: Frame): void;
}

const NUL = 0;
const LF = 10;
const CR = 13;
/** A null byte within so many bytes is found faster by a loop than by a call. */
const NEAR = 96;

const frame = new Frame();

/**
 * Cuts a byte stream into frames and hands each to the handler: all frames of a chunk in one loop, the body left where
 * it is. After `stop`, or once a frame was refused, not another byte is looked at.
 */
export class Decoder {
  /** Known from CONNECT on; it decides about escapes and line ends. */
  version: Version | undefined;
  readonly #handler: FrameHandler;
  readonly #limits: DecoderLimits;
  #maxBytes: number;
  #partial: PartialFrame | undefined;
  #stopped = false;
  /** Frames since `taken` was asked. */
  #frames = 0;
  /** Bytes that came while it was held, in order. */
  #held: Buffer[] | undefined;
  /** `frame` holds what this decoder is at. */
  #current = false;

  constructor(handler: FrameHandler, limits: DecoderLimits) {
    this.#handler = handler;
    this.#limits = limits;
    this.#maxBytes = limits.loginPacketBytes;
  }

  /** The client is known: from now on its version's rules apply, and frames may be larger. */
  admit(version: Version): void {
    this.version = version;
    this.#maxBytes = this.#limits.packetBytes;
  }

  stop(): void {
    this.#stopped = true;
    this.#partial = undefined;
    this.#held = undefined;
  }

  /** After the frame at hand no further one is looked at until `proceed`. `again`: it comes once more, in a copy. */
  hold(again?: Buffer): void {
    this.#held = again === undefined ? [] : [again];
    if (again !== undefined) this.#frames--;
  }

  /** Takes up what came meanwhile; throws as `push` does. */
  proceed(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const chunk of held) this.push(chunk);
  }

  /** How many whole frames there were since this was last asked. */
  taken(): number {
    const frames = this.#frames;
    this.#frames = 0;
    return frames;
  }

  /** The receipt that the frame at hand asks for, as far as that was read: also after it was refused. */
  receipt(): string | undefined {
    return this.#current ? frame.raw(HEADER.receipt) : undefined;
  }

  /** Throws a BrokerError for bytes that are no frame, after which the decoder is stopped. */
  push(chunk: Buffer): void {
    this.#current = false;
    try {
      let at = this.#partial === undefined ? 0 : this.#continue(this.#partial, chunk);
      while (!this.#stopped && at < chunk.length) {
        if (this.#held !== undefined) {
          this.#held.push(Buffer.from(chunk.subarray(at)));
          break;
        }
        const byte = chunk[at];
        // Line ends between frames are heart-beats, and what clients append to a frame. Null bytes are let pass, as in
        // RabbitMQ, whose own tests begin frames with one.
        if (byte === LF || byte === CR || byte === NUL) {
          at++;
          continue;
        }
        const next = this.#frame(chunk, at);
        if (next === INCOMPLETE) {
          this.#keep(chunk, at);
          break;
        }
        at = next;
      }
    } catch (error) {
      if (this.#partial !== undefined && !this.#current) this.#recall(this.#partial);
      this.stop();
      throw error;
    }
  }

  /** Reads again what has come of a frame that is refused before its end: the ERROR names its receipt. */
  #recall({ bytes }: PartialFrame): void {
    this.#current = true;
    try {
      parseHead(frame, bytes, 0, this.version, this.#limits);
    } catch {
      // Why it is refused is known; what stands before that was read.
    }
  }

  /** Parses the frame at `at` if it is there in full; returns the offset behind it. */
  #frame(buffer: Buffer, at: number): number {
    this.#current = true;
    const bodyStart = parseHead(frame, buffer, at, this.version, this.#limits);
    if (bodyStart === INCOMPLETE) return INCOMPLETE;
    const length = contentLength(frame, this.version);
    let bodyEnd: number;
    if (length >= 0) {
      bodyEnd = bodyStart + length;
      if (bodyEnd + 1 - at > this.#maxBytes) throw frameTooLarge(this.#maxBytes, this.#limits);
      if (bodyEnd >= buffer.length) return INCOMPLETE;
      if (buffer[bodyEnd] !== NUL) throw notTerminated(length);
    } else {
      bodyEnd = findNul(buffer, bodyStart);
      if ((bodyEnd === -1 ? buffer.length : bodyEnd + 1) - at > this.#maxBytes)
        throw frameTooLarge(this.#maxBytes, this.#limits);
      if (bodyEnd === -1) return INCOMPLETE;
    }
    frame.bodyStart = bodyStart;
    frame.bodyEnd = bodyEnd;
    this.#frames++;
    if (bodyEnd > bodyStart && frame.command !== COMMAND.send && !this.#ignoresBody()) {
      requireNoBody(buffer, bodyStart, bodyEnd);
    }
    this.#handler.frame(frame);
    return bodyEnd + 1;
  }

  /** "The body of the SUBSCRIBE command is ignored" (STOMP 1.0, SUBSCRIBE). Before a login none is served, or by 1.0. */
  #ignoresBody(): boolean {
    return (this.version ?? VERSION.v10) === VERSION.v10 && frame.command === COMMAND.subscribe;
  }

  // --- frames over several chunks ---------------------------------------------------------------------------------------

  #keep(chunk: Buffer, at: number): void {
    this.#partial = new PartialFrame(this.#limits);
    this.#partial.add(chunk, at, this.version, this.#maxBytes);
  }

  /** Adds to a partial frame until it is complete; returns how much of the chunk that took. */
  #continue(partial: PartialFrame, chunk: Buffer): number {
    const at = partial.add(chunk, 0, this.version, this.#maxBytes);
    if (at === INCOMPLETE) return chunk.length;
    this.#partial = undefined;
    this.#frame(partial.bytes, 0);
    return at;
  }
}

function findNul(buffer: Buffer, start: number): number {
  const near = Math.min(buffer.length, start + NEAR);
  for (let i = start; i < near; i++) if (buffer[i] === NUL) return i;
  return near === buffer.length ? -1 : buffer.indexOf(NUL, near);
}

function notTerminated(length: number): Refusal {
  return new Refusal(
    'malformed',
    `no null byte follows the ${length} bytes of body that content-length declares`,
    'content-length counts bytes, not characters, without the null byte that ends the frame.',
  );
}

/** Only SEND, MESSAGE and ERROR have a body (STOMP 1.2, Body); line ends there are harmless, and some clients send them. */
function requireNoBody(buffer: Buffer, start: number, end: number): void {
  for (let i = start; i < end; i++) {
    const byte = buffer[i];
    if (byte !== LF && byte !== CR) {
      throw new Refusal('malformed', 'a frame other than SEND has a body', 'Send it without one (STOMP 1.2, Body).');
    }
  }
}
