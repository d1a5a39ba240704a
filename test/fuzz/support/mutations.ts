import * as fc from 'fast-check';

/** What is done to the bytes of a packet, a frame, or a whole connection. */
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

/** What is done to the packets or frames of a connection, by places among them. */
export type Shuffle = { readonly do: 'double' | 'leave out' | 'swap'; readonly at: number };

export const shuffle: fc.Arbitrary<Shuffle> = fc.record({
  do: fc.constantFrom('double' as const, 'leave out' as const, 'swap' as const),
  at: fc.nat({ max: 20 }),
});

export function shuffled(pieces: readonly Buffer[], { do: what, at: place }: Shuffle): Buffer[] {
  if (pieces.length === 0) return [];
  const at = place % pieces.length;
  const [before, here, after] = [pieces.slice(0, at), pieces.slice(at, at + 1), pieces.slice(at + 1)];
  if (what === 'double') return [...before, ...here, ...here, ...after];
  if (what === 'leave out') return [...before, ...after];
  return [...before, ...after.slice(0, 1), ...here, ...after.slice(1)];
}

/** Cuts at places counted round the bytes. */
export function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end)).filter((each) => each.length > 0);
}
