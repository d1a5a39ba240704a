import type { Connection } from '../../../src/ports/transport.ts';

/** A connection that keeps what is written to it. Its buffer is never at its beginning, nor larger than asked for. */
export class Sink implements Connection {
  readonly peer = { name: 'test', loopback: true, transport: 'tcp' } as const;
  readonly received = 0;
  buffer = Buffer.alloc(0);
  #pieces: Buffer[] = [];
  #announced = 0;
  /** The last frame was begun as a text message. */
  text = false;

  begin(total: number, text = false): void {
    this.#announced += total;
    this.text = text;
  }

  reserve(bytes: number): number {
    this.buffer = Buffer.alloc(3 + bytes, 0xee);
    this.#pieces.push(this.buffer.subarray(3));
    return 3;
  }

  attach(bytes: Uint8Array): void {
    this.#pieces.push(Buffer.from(bytes));
  }

  full(): boolean {
    return false;
  }

  pause(): void {}
  resume(): void {}
  end(): void {}

  /** What was written since the last call, which must be as long as announced. */
  take(): Buffer {
    const bytes = Buffer.concat(this.#pieces.splice(0));
    const announced = this.#announced;
    this.#announced = 0;
    if (bytes.length !== announced) throw new Error(`${bytes.length} bytes were written, ${announced} were announced`);
    return bytes;
  }
}
