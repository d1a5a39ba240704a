/** Variable byte integers (MQTT 5.0, 1.5.5), and strings (1.5.4). Writers return the offset behind what they wrote. */

export function variableBytes(value: number): 1 | 2 | 3 | 4 {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4;
}

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

export function writeString(buffer: Buffer, at: number, text: string): number {
  const bytes = buffer.write(text, at + 2, 'utf8');
  buffer.writeUInt16BE(bytes, at);
  return at + 2 + bytes;
}
