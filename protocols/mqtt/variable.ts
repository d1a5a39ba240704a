/** Variable byte integers (MQTT 5.0, 1.5.5). */

export function variableBytes(value: number): 1 | 2 | 3 | 4 {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4;
}

/** Returns the offset behind it. */
export function writeVariable(buffer: Buffer, at: number, value: number): number {
  let rest = value;
  let offset = at;
  while (rest > 0x7f) {
    buffer[offset++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buffer[offset++] = rest;
  return offset;
}
