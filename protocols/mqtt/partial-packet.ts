/** A packet of which a chunk brought only the beginning. Grows with what arrives, not with what was announced. */
export interface PartialPacket {
  buffer: Buffer;
  length: number;
  /** Bytes of the whole packet; 0 until its fixed header is complete. */
  total: number;
}

/** Of what a chunk has from `at` on. */
export function partialPacket(chunk: Buffer, at: number): PartialPacket {
  const partial = { buffer: Buffer.from(chunk.subarray(at)), length: chunk.length - at, total: 0 };
  partial.total = packetBytes(partial);
  return partial;
}

export function append(partial: PartialPacket, chunk: Buffer, from: number, to: number): void {
  const length = partial.length + to - from;
  if (length > partial.buffer.length) {
    const grown = Buffer.allocUnsafeSlow(Math.max(length, partial.buffer.length * 2, 64));
    partial.buffer.copy(grown, 0, 0, partial.length);
    partial.buffer = grown;
  }
  chunk.copy(partial.buffer, partial.length, from, to);
  partial.length = length;
}

/** Bytes of the whole packet by its fixed header, or 0 when that is not complete. */
export function packetBytes({ buffer, length }: PartialPacket): number {
  let remaining = 0;
  for (let i = 1; i < length && i <= 4; i++) {
    const byte = buffer[i] ?? 0;
    remaining |= (byte & 0x7f) << (7 * (i - 1));
    // Too long a form, or five bytes: complete enough for `#next` to refuse it.
    if ((byte === 0 && i > 1) || (byte >= 0x80 && i === 4)) return 1 + i;
    if (byte < 0x80) return 1 + i + remaining;
  }
  return 0;
}
