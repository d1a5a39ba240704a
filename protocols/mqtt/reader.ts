import { isUtf8 } from 'node:buffer';
import { copyOf } from '../../src/core/bytes.ts';
import { BrokerError } from '../../src/core/errors.ts';

/** Reads the data types of MQTT (5.0, 1.5) from one packet; every overrun is a malformed packet. */
export class Reader {
  buffer: Buffer = EMPTY;
  at = 0;
  end = 0;

  open(buffer: Buffer, at: number, end: number): void {
    this.buffer = buffer;
    this.at = at;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  uint8(): number {
    return this.buffer[this.#take(1)] ?? 0;
  }

  uint16(): number {
    return this.buffer.readUInt16BE(this.#take(2));
  }

  uint32(): number {
    return this.buffer.readUInt32BE(this.#take(4));
  }

  /** At most four bytes, in the shortest form (1.5.5). */
  variableInteger(): number {
    let value = 0;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.uint8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte === 0 && shift > 0)
          throw new BrokerError('malformed', 'a variable byte integer is longer than it must be [MQTT-1.5.5-1]');
        return value;
      }
    }
    throw new BrokerError('malformed', 'a variable byte integer has more than four bytes');
  }

  /** Bytes of their own. */
  binary(): Uint8Array {
    const length = this.uint16();
    const at = this.#take(length);
    return copyOf(this.buffer, at, at + length);
  }

  string(what: string): string {
    const length = this.uint16();
    const at = this.#take(length);
    const text = decodeText(this.buffer, at, at + length);
    if (text === undefined)
      throw new BrokerError(
        'malformed',
        `${what} is not well-formed UTF-8 without U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2]`,
      );
    return text;
  }

  #take(bytes: number): number {
    const at = this.at;
    if (at + bytes > this.end) throw new BrokerError('malformed', 'the packet ends too early for its content');
    this.at = at + bytes;
    return at;
  }
}

const EMPTY = Buffer.alloc(0);

/** UTF-8 without surrogates and U+0000 (1.5.4), or undefined. */
export function decodeText(buffer: Buffer, start: number, end: number): string | undefined {
  if (start === end) return '';
  if (!isUtf8(buffer.subarray(start, end))) return undefined;
  const text = buffer.toString('utf8', start, end);
  return text.includes('\0') ? undefined : text;
}
