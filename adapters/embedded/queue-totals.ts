/**
 * What is known of a queue without reading its messages, written with every change of it:
 *
 *     messages f64 | bytes f64 | id the next message gets f64 | nothing is due before f64 | of each lane that has
 *     messages: its number u8 | id where it begins f64 | id up to which messages may have been given out f64
 */
export interface Totals {
  readonly messages: number;
  readonly bytes: number;
  readonly nextId: number;
  readonly due: number;
  readonly lanes: readonly { readonly number: number; readonly head: number; readonly mark: number }[];
}

/** Of a new queue. */
export const NO_TOTALS: Totals = { messages: 0, bytes: 0, nextId: 1, due: Infinity, lanes: [] };

const FIXED = 4 * 8;
const LANE = 1 + 8 + 8;

export function encodeTotals({ messages, bytes, nextId, due, lanes }: Totals): Buffer {
  const value = Buffer.allocUnsafe(FIXED + lanes.length * LANE);
  let at = 0;
  for (const number of [messages, bytes, nextId, due]) at = value.writeDoubleLE(number, at);
  for (const { number, head, mark } of lanes) {
    at = value.writeUInt8(number, at);
    at = value.writeDoubleLE(head, at);
    at = value.writeDoubleLE(mark, at);
  }
  return value;
}

/** Throws RangeError on bytes that are not those. */
export function decodeTotals(value: Buffer): Totals {
  const [messages, bytes, nextId, due] = [0, 8, 16, 24].map((at) => value.readDoubleLE(at));
  const lanes = [];
  for (let at = FIXED; at < value.length; at += LANE) {
    const number = value.readUInt8(at);
    lanes.push({ number, head: value.readDoubleLE(at + 1), mark: value.readDoubleLE(at + 9) });
  }
  return { messages: messages ?? 0, bytes: bytes ?? 0, nextId: nextId ?? 1, due: due ?? Infinity, lanes };
}
