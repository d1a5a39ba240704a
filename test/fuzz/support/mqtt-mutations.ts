import * as fc from 'fast-check';

/** What is done to the bytes of one packet. */
export type Mutation =
  | { readonly do: 'set'; readonly at: number; readonly value: number }
  | { readonly do: 'flip'; readonly at: number; readonly bit: number }
  | { readonly do: 'cut'; readonly at: number; readonly bytes: number }
  | { readonly do: 'insert'; readonly at: number; readonly bytes: readonly number[] }
  | { readonly do: 'repeat'; readonly at: number; readonly bytes: number };

/** Half of them near the beginning, where lengths, flags and identifiers are. */
const place = fc.oneof(fc.nat({ max: 16 }), fc.nat({ max: 65535 }));
const value = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff, 0xc0, 0xed));

export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ do: fc.constant('set'), at: place, value }),
  fc.record({ do: fc.constant('flip'), at: place, bit: fc.integer({ min: 0, max: 7 }) }),
  fc.record({ do: fc.constant('cut'), at: place, bytes: fc.integer({ min: 1, max: 8 }) }),
  fc.record({ do: fc.constant('insert'), at: place, bytes: fc.array(value, { minLength: 1, maxLength: 6 }) }),
  fc.record({ do: fc.constant('repeat'), at: place, bytes: fc.integer({ min: 1, max: 24 }) }),
);

/** `at` counts round the bytes, so that every mutation hits some. */
export function mutate(bytes: Buffer, how: Mutation): Buffer {
  if (bytes.length === 0) return bytes;
  const at = how.at % bytes.length;
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (how.do) {
    case 'set':
      return Buffer.concat([before, Buffer.of(how.value), after.subarray(1)]);
    case 'flip':
      return Buffer.concat([before, Buffer.of((bytes[at] ?? 0) ^ (1 << how.bit)), after.subarray(1)]);
    case 'cut':
      return Buffer.concat([before, after.subarray(how.bytes)]);
    case 'insert':
      return Buffer.concat([before, Buffer.from(how.bytes), after]);
    case 'repeat':
      return Buffer.concat([before, after.subarray(0, how.bytes), after]);
  }
}

/** Where the fixed header of a packet ends: behind its first byte and the one to four of its remaining length. */
function headerEnd(packet: Buffer): number {
  let at = 1;
  while (at < Math.min(packet.length, 4) && (packet[at] ?? 0) >= 0x80) at++;
  return at + 1;
}

/** Writes the remaining length anew, so that a changed packet is still one packet: else few reach further than that. */
export function refit(packet: Buffer): Buffer {
  const rest = packet.subarray(headerEnd(packet));
  const length: number[] = [];
  for (let left = rest.length; left > 0 || length.length === 0; left >>= 7) length.push((left & 0x7f) | 0x80);
  length.push((length.pop() ?? 0) & 0x7f);
  return Buffer.concat([packet.subarray(0, 1), Buffer.from(length), rest]);
}

/** Without what follows the first packet: mqtt-packet reads on in it where that packet is too short. */
export function firstOf(bytes: Buffer): Buffer {
  const body = headerEnd(bytes);
  const length = bytes.subarray(1, body).reduce((sum, byte, i) => sum + (byte & 0x7f) * 128 ** i, 0);
  return bytes.subarray(0, body + length);
}
