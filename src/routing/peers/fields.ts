import { copyOf } from '../../core/bytes.ts';
import { BrokerError, FAULTS, type FaultCode } from '../../core/errors.ts';
import type { Message } from '../../core/message.ts';
import type { Packer, Unpacker } from '../../core/pack.ts';
import { checkSettings, type PartialSettings } from '../../core/queue-settings.ts';
import { readRecord, recordBytes, writeRecord } from '../../core/record.ts';
import type { Start } from '../../core/start.ts';
import { Moved } from './ownership.ts';

/** What frames between nodes are made of. Readers throw RangeError, or BrokerError, on bytes that no writer made. */

/** A message, with what its record does not have. */
export function writeMessage(to: Packer, message: Message): void {
  to.integer(message.shard).integer(message.sequence);
  to.text(message.dedupId ?? '');
  const bytes = recordBytes(message);
  to.integer(bytes);
  writeRecord(to.skip(bytes), 0, message);
}

/** The message has memory of its own: a small one is not to hold a packet. */
export function readMessage(from: Unpacker): Message {
  const [shard, sequence, dedupId] = [from.integer(), from.integer(), from.text()];
  const record = copyOf(from.bytes());
  const message = readRecord(Buffer.from(record.buffer), 0, record.length);
  message.shard = shard;
  message.sequence = sequence;
  if (dedupId !== '') message.dedupId = dedupId;
  return message;
}

/** undefined: there is none. */
export function writeError(to: Packer, error: BrokerError | undefined): void {
  if (error === undefined) to.integer(NONE);
  else if (error instanceof Moved) to.integer(MOVED);
  else to.integer(SOME).text(error.code).text(error.message);
}

export function readError(from: Unpacker): BrokerError | undefined {
  const form = from.integer();
  if (form === NONE) return undefined;
  if (form === MOVED) return new Moved();
  const [code, text] = [from.text(), from.text()];
  // A node of a later version may have others.
  return new BrokerError(isFaultCode(code) ? code : 'internal', text);
}

const NONE = 0;
const MOVED = 1;
const SOME = 2;

function isFaultCode(text: string): text is FaultCode {
  return Object.hasOwn(FAULTS, text);
}

export function writeFlag(to: Packer, flag: boolean | undefined): void {
  to.integer(flag === true ? 1 : 0);
}

export function readFlag(from: Unpacker): boolean {
  return from.integer() === 1;
}

/** An integer that may be negative. */
export function writeSigned(to: Packer, value: number): void {
  to.integer(value < 0 ? -2 * value - 1 : 2 * value);
}

export function readSigned(from: Unpacker): number {
  const value = from.integer();
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
}

/** A count, time or size that has no upper bound where it is set. */
export function writeBounded(to: Packer, value: number): void {
  to.integer(Math.min(Math.max(0, Math.floor(value)), Number.MAX_SAFE_INTEGER));
}

export function writeSettings(to: Packer, settings: PartialSettings): void {
  to.text(JSON.stringify(settings));
}

export function readSettings(from: Unpacker): PartialSettings {
  const given: unknown = parse(from.text());
  if (typeof given !== 'object' || given === null) throw new RangeError('settings that are no object');
  return checkSettings({ ...given });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RangeError('settings that are no JSON');
  }
}

const STARTS: readonly Start['from'][] = ['new', 'first', 'last', 'time', 'position'];

export function writeStart(to: Packer, start: Start): void {
  to.integer(STARTS.indexOf(start.from));
  switch (start.from) {
    case 'last':
      writeBounded(to, start.count);
      break;
    case 'time':
      writeBounded(to, start.time);
      break;
    case 'position':
      to.integer(start.shard).integer(start.sequence);
  }
}

export function readStart(from: Unpacker): Start {
  const form = STARTS[from.integer()];
  switch (form) {
    case 'new':
    case 'first':
      return { from: form };
    case 'last':
      return { from: form, count: from.integer() };
    case 'time':
      return { from: form, time: from.integer() };
    case 'position':
      return { from: form, shard: from.integer(), sequence: from.integer() };
    default:
      throw new RangeError('a place to start that there is not');
  }
}
