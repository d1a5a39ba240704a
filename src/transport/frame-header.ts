/** The header of a WebSocket frame from the server (RFC 6455, 5.2): final, unmasked. */

export const FRAME_HEADER_MAX = 10;

export function frameHeaderBytes(payload: number): 2 | 4 | 10 {
  return payload < 126 ? 2 : payload < 65536 ? 4 : 10;
}

export function writeFrameHeader(target: Uint8Array, at: number, payload: number, text: boolean): void {
  target[at] = text ? 0x81 : 0x82;
  if (payload < 126) {
    target[at + 1] = payload;
  } else if (payload < 65536) {
    target[at + 1] = 126;
    target[at + 2] = payload >>> 8;
    target[at + 3] = payload & 0xff;
  } else {
    target[at + 1] = 127;
    // Messages stay below 4 GiB: the upper half of the 64-bit length is zero.
    for (let i = 2; i < 6; i++) target[at + i] = 0;
    for (let i = 0; i < 4; i++) target[at + 6 + i] = (payload >>> (24 - 8 * i)) & 0xff;
  }
}
