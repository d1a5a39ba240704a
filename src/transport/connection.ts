import type { Duplex } from 'node:stream';
import type { Channel } from '../ports/protocol.ts';
import type { Connection, Peer } from '../ports/transport.ts';
import { FRAME_HEADER_MAX, frameHeaderBytes, writeFrameHeader } from './frame-header.ts';
import { CHUNK_BYTES, type Turn } from './turn.ts';

/** `none`: bytes (TCP); `stream` and `frame`: see `WebSocketBinding.framing`. */
export type Framing = 'none' | 'stream' | 'frame';

export interface ConnectionLimits {
  readonly outputBytes: number;
  readonly slowReaderSeconds: number;
}

/** What differs between a TCP socket and a WebSocket beside framing. */
export interface Carrier {
  readonly socket: Duplex;
  readonly framing: Framing;
  /** Bytes that have come. */
  readonly received: number;
  /** The peer has sent its last byte, and what it sent has arrived; the carrier has not ended, because it was paused. */
  readonly peerEnded: boolean;
  /** Stop and start what brings `receive` its bytes. A peer's end while it is stopped is not answered. */
  pause(): void;
  resume(): void;
  /** The orderly end, when all output has been handed over. */
  finish(): void;
}

const EMPTY = Buffer.alloc(0);
/** Collected output is written within the turn from here on, while it still is in the processor's cache. */
const EAGER_BYTES = 128 * 1024;
/** What a peer gets to read the last bytes and close, milliseconds. */
const LINGER = 3000;

/**
 * A connection's output, batched: everything written in one turn leaves in one write. While the peer does not keep
 * up, output waits here, and `full()` says when it is too much. Nothing is held when nothing waits.
 */
export class BatchedConnection implements Connection {
  readonly peer: Peer;
  buffer: Buffer = EMPTY;
  channel: Channel | undefined;
  /** WebSocket: whether the peer's first message was binary. */
  binary: boolean | undefined;
  readonly #carrier: Carrier;
  readonly #turn: Turn;
  readonly #limits: ConnectionLimits;
  readonly #now: () => number;
  /** Bytes used of `buffer`; `#from`: how many of them are queued already (an attachment came between). */
  #at = 0;
  #from = 0;
  /** Complete pieces waiting for the write under way, with their bytes. */
  #queue: Uint8Array[] | undefined;
  #queuedBytes = 0;
  /** Pool chunks behind the queue and behind the write under way, to be given back. */
  #chunks: Buffer[] | undefined;
  #writtenChunks: Buffer[] | undefined;
  #inFlightBytes = 0;
  #dirty = false;
  /** Since when the kernel has not taken the last write in full, milliseconds since 1970; 0: it has. */
  #blockedSince = 0;
  #wasFull = false;
  #pauses = 0;
  #pausedForOutput = false;
  #state: 'open' | 'ending' | 'finished' | 'closed' = 'open';
  /** Milliseconds since 1970. */
  #endedAt = 0;
  /** Why it was ended from this side; for the log. */
  reason = '';

  constructor(carrier: Carrier, peer: Peer, turn: Turn, limits: ConnectionLimits, now: () => number) {
    this.#carrier = carrier;
    this.peer = peer;
    this.#turn = turn;
    this.#limits = limits;
    this.#now = now;
  }

  get received(): number {
    return this.#carrier.received;
  }

  // --- output -------------------------------------------------------------------------------------------------------

  begin(total: number, text = false): void {
    this.#turn.counters.packetsSent++;
    // Only here, between frames, may output leave early: control frames of the WebSocket go to the same socket.
    if (this.#queuedBytes >= EAGER_BYTES && this.#inFlightBytes === 0) this.flush();
    if (this.#carrier.framing === 'frame') {
      const at = this.reserve(frameHeaderBytes(total));
      writeFrameHeader(this.buffer, at, total, text && this.binary !== true);
    }
  }

  reserve(bytes: number): number {
    let at = this.#at;
    if (at + bytes > this.buffer.length) at = this.#roll(bytes);
    this.#at = at + bytes;
    return at;
  }

  attach(bytes: Uint8Array): void {
    if (this.buffer === EMPTY) this.#roll(0);
    this.#cut();
    this.#enqueue(bytes);
  }

  full(): boolean {
    if (this.#waiting() < this.#limits.outputBytes) return false;
    if (this.#inFlightBytes === 0) {
      this.flush();
      if (this.#waiting() < this.#limits.outputBytes) return false;
    }
    this.#wasFull = true;
    return true;
  }

  flush(): void {
    this.#dirty = false;
    if (this.#state === 'closed') this.#discard();
    if (this.#inFlightBytes > 0 || this.#state === 'closed') return;
    this.#cut();
    this.buffer = EMPTY;
    this.#at = 0;
    this.#from = 0;
    const queue = this.#queue;
    if (queue === undefined || queue.length === 0) {
      this.#finishIfEnding();
      return;
    }
    if (this.#carrier.framing === 'stream') this.#frameStream(queue);
    this.#queue = undefined;
    this.#write(queue);
  }

  #waiting(): number {
    return this.#inFlightBytes + this.#queuedBytes + this.#at - this.#from;
  }

  /** Puts what is in `buffer` into the queue and begins a new chunk with room for `bytes`. */
  #roll(bytes: number): number {
    this.#cut();
    if (!this.#dirty) {
      this.#dirty = true;
      // May flush, this connection too; what was cut above leaves in order.
      this.#turn.add(this);
    }
    const header = this.#carrier.framing === 'stream' && this.#queue === undefined ? FRAME_HEADER_MAX : 0;
    if (header + bytes <= CHUNK_BYTES) {
      this.buffer = this.#turn.take();
      this.#chunks ??= [];
      this.#chunks.push(this.buffer);
    } else {
      this.buffer = Buffer.allocUnsafeSlow(header + bytes);
    }
    this.#from = 0;
    this.#at = header;
    return header;
  }

  #cut(): void {
    if (this.#at > this.#from) this.#enqueue(this.buffer.subarray(this.#from, this.#at));
    this.#from = this.#at;
  }

  #enqueue(bytes: Uint8Array): void {
    this.#queue ??= [];
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
  }

  /** One binary message for all of the flush: its header goes into the room left at the start of the first chunk. */
  #frameStream(queue: Uint8Array[]): void {
    const first = queue[0];
    if (first === undefined) return;
    const total = this.#queuedBytes - FRAME_HEADER_MAX;
    const at = FRAME_HEADER_MAX - frameHeaderBytes(total);
    writeFrameHeader(first, at, total, false);
    queue[0] = first.subarray(at);
    // The room that was left for a longer one.
    this.#queuedBytes -= at;
  }

  #write(queue: readonly Uint8Array[]): void {
    const socket = this.#carrier.socket;
    this.#inFlightBytes = this.#queuedBytes;
    this.#turn.counters.bytesSent += this.#queuedBytes;
    this.#queuedBytes = 0;
    this.#writtenChunks = this.#chunks;
    this.#chunks = undefined;
    const last = queue.length - 1;
    if (last === 0) {
      socket.write(queue[0]);
    } else {
      socket.cork();
      for (let i = 0; i <= last; i++) socket.write(queue[i]);
      socket.uncork();
    }
    // Usually the kernel takes all of it at once, and the chunks are free again.
    if (socket.writableLength === 0) {
      this.#release();
      return;
    }
    // Only then is a callback wanted: an empty write's comes after all before it.
    this.#blockedSince = this.#now();
    socket.write(EMPTY, () => this.#written());
  }

  #release(): void {
    this.#inFlightBytes = 0;
    this.#blockedSince = 0;
    if (this.#writtenChunks !== undefined) for (const chunk of this.#writtenChunks) this.#turn.give(chunk);
    this.#writtenChunks = undefined;
    this.#finishIfEnding();
  }

  /** The kernel has taken all that was handed to it. */
  #written(): void {
    if (this.#state === 'closed') return;
    this.#release();
    this.flush();
    if (this.#wasFull && this.#waiting() < this.#limits.outputBytes / 2) {
      this.#wasFull = false;
      if (this.#pausedForOutput) {
        this.#pausedForOutput = false;
        this.resume();
      }
      this.channel?.drained();
    }
  }

  // --- input --------------------------------------------------------------------------------------------------------

  receive(chunk: Buffer): void {
    if (this.#state !== 'open') return;
    this.channel?.receive(chunk, this.#now());
    // Answers to a peer that does not read them are bounded by not reading its requests.
    if (this.#state === 'open' && !this.#pausedForOutput && this.full()) {
      this.#pausedForOutput = true;
      this.pause();
    }
  }

  pause(): void {
    if (this.#pauses++ === 0) this.#carrier.pause();
  }

  resume(): void {
    if (this.#pauses === 0 || --this.#pauses > 0 || this.#state === 'closed') return;
    this.#carrier.resume();
    if (!this.#carrier.peerEnded) return;
    // Whoever resumes takes up at once what waits: there are clients that send a login, messages and a farewell in one piece, and go.
    queueMicrotask(() => {
      // It may be busy again, with a frame behind.
      if (this.#state === 'closed' || this.#pauses > 0) return;
      this.flush();
      this.#carrier.finish();
    });
  }

  // --- the end ------------------------------------------------------------------------------------------------------

  end(reason: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.reason = reason;
    this.#endedAt = this.#now();
    // The peer's close must be read even if its data was not.
    if (this.#pauses > 0) this.#carrier.resume();
    this.#pauses = 0;
    this.flush();
  }

  #finishIfEnding(): void {
    if (this.#state !== 'ending' || this.#queuedBytes > 0 || this.#at > this.#from) return;
    this.#state = 'finished';
    this.#carrier.finish();
  }

  /** The carrier is gone. */
  closed(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#discard();
    this.channel?.closed();
    this.channel = undefined;
  }

  /** What was collected has nowhere to go. Chunks of a write under way stay the kernel's; they are not reused. */
  #discard(): void {
    if (this.#chunks !== undefined) for (const chunk of this.#chunks) this.#turn.give(chunk);
    this.#queue = undefined;
    this.#chunks = undefined;
    this.#writtenChunks = undefined;
    this.buffer = EMPTY;
    this.#at = 0;
    this.#from = 0;
    this.#queuedBytes = 0;
  }

  /** Cuts the connection off. */
  destroy(): void {
    this.#carrier.socket.destroy();
  }

  tick(now: number): void {
    if (this.#state === 'open') {
      if (this.#blockedSince !== 0 && now - this.#blockedSince > this.#limits.slowReaderSeconds * 1000) {
        this.channel?.shutdown('slowReader');
        this.#endedAt = 0;
      } else {
        this.channel?.tick(now);
      }
    }
    if (this.#state !== 'open' && this.#state !== 'closed' && now - this.#endedAt > LINGER) this.destroy();
  }
}
