/** Text to bytes on the hot path: names are short and nearly always ASCII, where a loop beats a call into C++. */

const SHORT = 96;

/** Length of `text` in UTF-8 bytes. */
export function textBytes(text: string): number {
  const length = text.length;
  if (length > SHORT) return Buffer.byteLength(text);
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text);
  return length;
}

/** Writes `text`, whose `textBytes` is `bytes`, and returns the offset behind it. */
export function writeText(buffer: Buffer, at: number, text: string, bytes: number): number {
  if (bytes === text.length && bytes <= SHORT) {
    for (let i = 0; i < bytes; i++) buffer[at + i] = text.charCodeAt(i);
  } else {
    buffer.write(text, at, bytes, 'utf8');
  }
  return at + bytes;
}

/** Copies `source[start, end)` to `target[at…)` and returns the offset behind it. */
export function copyBytes(target: Uint8Array, at: number, source: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length <= SHORT) {
    for (let i = 0; i < length; i++) target[at + i] = source[start + i] ?? 0;
  } else {
    target.set(source.subarray(start, end), at);
  }
  return at + length;
}

/** A copy of `source[start, end)` with memory of its own. (`slice` is a copy on a Uint8Array, but a view on a Buffer.) */
export function copyOf(source: Uint8Array, start = 0, end = source.length): Uint8Array {
  return new Uint8Array(source.subarray(start, end));
}
