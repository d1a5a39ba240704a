import type { Connection } from '../../../../src/ports/transport.ts';

/** A connection that keeps its frames, and checks that each is as long as it was said to be. */
export class FakeConnection implements Connection {
  readonly peer = { name: 'test', loopback: true, transport: 'websocket' } as const;
  buffer = Buffer.alloc(16);
  readonly received = 0;
  isFull = false;
  pauses = 0;
  ended: string | undefined;
  #pieces: Buffer[] = [];
  #expected = 0;
  readonly #frames: string[] = [];
  #current: { from: number; to: number; buffer: Buffer } | undefined;

  begin(total: number, text?: boolean): void {
    this.#finish();
    if (text !== true) throw new Error('a frame that is not text');
    if (this.ended !== undefined) throw new Error('a frame after the end');
    this.#expected = total;
  }

  reserve(bytes: number): number {
    this.#cut();
    this.buffer = Buffer.alloc(bytes + 3, 0xee);
    this.#current = { from: 3, to: 3 + bytes, buffer: this.buffer };
    return 3;
  }

  attach(bytes: Uint8Array): void {
    this.#cut();
    this.#pieces.push(Buffer.from(bytes));
  }

  full(): boolean {
    return this.isFull;
  }

  pause(): void {
    this.pauses++;
  }

  resume(): void {
    this.pauses--;
  }

  end(reason: string): void {
    this.#finish();
    this.ended = reason;
  }

  /** What was sent since the last call, as objects. */
  take(): Record<string, unknown>[] {
    this.#finish();
    return this.#frames.splice(0).map((frame) => JSON.parse(frame));
  }

  #cut(): void {
    if (this.#current === undefined) return;
    const { from, to, buffer } = this.#current;
    this.#current = undefined;
    this.#pieces.push(buffer.subarray(from, to));
  }

  #finish(): void {
    this.#cut();
    if (this.#pieces.length === 0) return;
    const frame = Buffer.concat(this.#pieces.splice(0));
    if (frame.length !== this.#expected)
      throw new Error(`a frame of ${frame.length} bytes, said to be ${this.#expected}`);
    this.#frames.push(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(frame));
  }
}
