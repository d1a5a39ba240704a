import type { Bucket } from '../../src/ports/backbone.ts';

/**
 * What the store holds, by the first byte of the key. Log keys go on with a sequence in 8 bytes, big end first, so that
 * their order is the log's. Those of queues are in `queue-keys.ts`. They came after the others, in a store of the same
 * format: what was there before them is read as it was.
 *
 * Blocks come before everything else: what LevelDB writes at one time is then a range that begins where the log ended,
 * and the tables with older blocks, which are nearly all of the store, are moved on and not written again.
 */
export const KIND = {
  /** Messages, by the first one's sequence. */
  block: 0x42,
  /** Where each message of a span is, by topic; by the span's first sequence. */
  directory: 0x44,
  /** The first sequence kept: iterators begin here, and do not wade through what retention has removed. */
  first: 0x46,
  /** Ids of messages that are taken in once, by the first sequence of their block. */
  ids: 0x49,
  /** Of queues. */
  queueIds: 0x4a,
  /** How large and how old a span is, by its first sequence: all that an opening has to read of old ones. */
  summary: 0x4d,
  queueName: 0x4e,
  queued: 0x51,
  /** The last revision of the state. */
  revision: 0x52,
  /** A bucket's byte and the entry's key follow. */
  state: 0x53,
  queueTotals: 0x54,
  queueDue: 0x55,
  /** The format of all this. */
  version: 0x56,
  queueDropped: 0x58,
} as const;

const BUCKETS: Readonly<Record<Bucket, number>> = {
  durables: 0x64,
  queues: 0x71,
  retained: 0x72,
  sessions: 0x73,
  wills: 0x77,
};

export const FIRST_KEY: Buffer = Buffer.of(KIND.first);
export const REVISION_KEY: Buffer = Buffer.of(KIND.revision);
export const VERSION_KEY: Buffer = Buffer.of(KIND.version);

export function logKey(kind: number, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(9);
  key[0] = kind;
  writeNumber(key, 1, sequence);
  return key;
}

export function sequenceOf(key: Buffer): number {
  return readNumber(key, 1);
}

/** A safe integer in 8 bytes whose order is that of the numbers; returns the offset behind it. */
export function writeNumber(key: Buffer, at: number, number: number): number {
  key.writeUInt32BE(Math.floor(number / 2 ** 32), at);
  return key.writeUInt32BE(number % 2 ** 32, at + 4);
}

export function readNumber(key: Buffer, at: number): number {
  return key.readUInt32BE(at) * 2 ** 32 + key.readUInt32BE(at + 4);
}

/** Behind the last log key of this kind. */
export function kindEnd(kind: number): Buffer {
  return Buffer.of(kind + 1);
}

export function stateKey(bucket: Bucket, key: string): Buffer {
  const bytes = Buffer.allocUnsafe(2 + Buffer.byteLength(key));
  bytes[0] = KIND.state;
  bytes[1] = BUCKETS[bucket];
  bytes.write(key, 2);
  return bytes;
}

/** The range of a bucket's entries: from the first key on, before the second. */
export function bucketRange(bucket: Bucket): readonly [Buffer, Buffer] {
  return [Buffer.of(KIND.state, BUCKETS[bucket]), Buffer.of(KIND.state, BUCKETS[bucket] + 1)];
}

export function nameOf(key: Buffer): string {
  return key.toString('utf8', 2);
}
