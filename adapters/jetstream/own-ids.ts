import { BEGIN } from './headers.ts';

const SPACE = 0x20;
const DOT = 0x2e;
const ZERO = 0x30;

/** Ids of a node's messages: its name and a number. */
export class OwnIds {
  readonly #start: string;
  readonly #bytes: Uint8Array;

  constructor(node: string) {
    this.#start = `${node}.`;
    this.#bytes = Buffer.from(this.#start);
  }

  of(number: number): string {
    return this.#start + number;
  }

  /** The number in the id of a message of this node; 0 for others. */
  numberIn(bytes: Uint8Array, headerBytes: number): number {
    const own = this.#bytes;
    let at = BEGIN.length;
    if (headerBytes < at + own.length) return 0;
    for (let i = 0; i < own.length; i++) if (bytes[at++] !== own[i]) return 0;
    let number = 0;
    for (; at < headerBytes && bytes[at] !== SPACE && bytes[at] !== DOT; at++) {
      number = number * 10 + ((bytes[at] ?? ZERO) - ZERO);
    }
    return number;
  }
}
