import type { Message } from '../core/message.ts';
import { Packer, Unpacker } from '../core/pack.ts';
import { readRecord, recordBytes, writeRecord } from '../core/record.ts';

/** A will as the store keeps it. */
export interface WillRecord {
  /** The node that publishes it when the time comes. */
  readonly node: string;
  /** Milliseconds after the client is gone. */
  readonly delay: number;
  /** Milliseconds since 1970; 0: the client is connected to that node. */
  readonly dueAt: number;
  readonly will: Message;
}

const FORMAT = 1;

export function encodeWill({ node, delay, dueAt, will }: WillRecord): Uint8Array {
  const message = Buffer.allocUnsafe(recordBytes(will));
  writeRecord(message, 0, will);
  return new Packer().integer(FORMAT).text(node).integer(delay).integer(dueAt).bytes(message).done();
}

/** Throws RangeError on bytes that are no will. */
export function decodeWill(bytes: Uint8Array): WillRecord {
  const unpacker = new Unpacker(bytes);
  const format = unpacker.integer();
  if (format !== FORMAT) throw new RangeError(`a will of format ${format}; ${FORMAT} is expected`);
  const [node, delay, dueAt] = [unpacker.text(), unpacker.integer(), unpacker.integer()];
  const message = Buffer.from(unpacker.bytes());
  return { node, delay, dueAt, will: readRecord(message, 0, message.length) };
}
