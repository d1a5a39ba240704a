import { RequestError } from './codec.ts';

/** Counted for each request besides its bytes. */
const OVERHEAD = 64;

/**
 * Requests behind a hello whose session is being opened: they wait for it in their order. The connection is not read from
 * meanwhile, so that these are what had been read already.
 */
export class HeldRequests {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** `limit`: bytes of all of them. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  add(chunk: Buffer): void {
    this.#bytes += chunk.length + OVERHEAD;
    if (this.#bytes > this.#limit) {
      const text = `more than ${this.#limit} bytes came before hello was answered; wait for the answer`;
      throw new RequestError('tooLarge', undefined, text, true);
    }
    this.#chunks.push(Buffer.from(chunk));
  }

  take(): Buffer[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    return chunks;
  }
}
