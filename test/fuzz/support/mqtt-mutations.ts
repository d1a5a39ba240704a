/** Mutated bytes that are to be one MQTT packet again. */

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
