import type { Qos } from '../../src/core/message.ts';
import { Packer, Unpacker } from '../../src/core/pack.ts';
import { readRecord, recordBytes, writeRecord } from '../../src/core/record.ts';
import type { Subscription } from '../../src/ports/routing.ts';
import type { InboundState } from './inbound.ts';
import type { Sent } from './inflight.ts';

export type SubscriptionOptions = Omit<Subscription, 'subscriber' | 'id'>;

/** Session state (MQTT 5.0, 4.1) as it is kept while the client is away, and through crashes. */
export interface SessionState {
  /** Names the session among all that ever were. */
  readonly uid: string;
  readonly subscriptions: readonly SubscriptionOptions[];
  /** Per shard, where to go on in the log. */
  readonly cursor: readonly number[];
  readonly inflight: Iterable<readonly [packetId: number, Sent]>;
  readonly lastNumber: number;
  readonly inbound: Iterable<readonly [packetId: number, InboundState, number: number]>;
}

const FORMAT = 1;

const RETAIN = 0x04;
const RELEASED = 0x08;
const MESSAGE = 0x10;
const NO_LOCAL = 0x04;
const RETAIN_AS_PUBLISHED = 0x08;

export function encodeState(state: SessionState): Uint8Array {
  const packer = new Packer().integer(FORMAT).text(state.uid).integers(state.cursor);
  packer.integer(state.subscriptions.length);
  for (const { filter, qos, noLocal, retainAsPublished, identifier, since } of state.subscriptions) {
    const flags = qos | (noLocal ? NO_LOCAL : 0) | (retainAsPublished ? RETAIN_AS_PUBLISHED : 0);
    packer.text(filter).integer(flags).integer(identifier).integers(since);
  }
  // What a group gave at QoS 1 goes back to it.
  const inflight = [...state.inflight].filter(([, { share, qos }]) => share === undefined || qos === 2);
  packer.integer(inflight.length);
  for (const [packetId, { qos, retain, released, message, shard, sequence }] of inflight) {
    const kept = message === undefined ? 0 : MESSAGE;
    packer.integer(packetId).integer(qos | (retain ? RETAIN : 0) | (released ? RELEASED : 0) | kept);
    packer.integer(shard).integer(sequence);
    if (message === undefined) continue;
    const record = Buffer.allocUnsafe(recordBytes(message));
    writeRecord(record, 0, message);
    packer.bytes(record);
  }
  const inbound = [...state.inbound];
  packer.integer(state.lastNumber).integer(inbound.length);
  for (const [packetId, received, number] of inbound) {
    packer
      .integer(packetId)
      .integer(received === 'stored' ? 1 : 0)
      .integer(number);
  }
  return packer.done();
}

/** Throws RangeError on bytes that are no session state. */
export function decodeState(bytes: Uint8Array): SessionState {
  const from = new Unpacker(bytes);
  const format = from.integer();
  if (format !== FORMAT) throw new RangeError(`a session of format ${format}; ${FORMAT} is expected`);
  const uid = from.text();
  const cursor = from.integers();
  const subscriptions = Array.from({ length: from.count() }, (): SubscriptionOptions => {
    const filter = from.text();
    const flags = from.integer();
    const noLocal = (flags & NO_LOCAL) !== 0;
    const retainAsPublished = (flags & RETAIN_AS_PUBLISHED) !== 0;
    const [identifier, since] = [from.integer(), from.integers()];
    return { filter, qos: qosOf(flags), noLocal, retainAsPublished, identifier, since };
  });
  const inflight = Array.from({ length: from.count() }, (): [number, Sent] => {
    const packetId = from.integer();
    const flags = from.integer();
    const [shard, sequence] = [from.integer(), from.integer()];
    const record = (flags & MESSAGE) === 0 ? undefined : Buffer.from(from.bytes());
    const message = record && readRecord(record, 0, record.length);
    const [retain, released] = [(flags & RETAIN) !== 0, (flags & RELEASED) !== 0];
    return [packetId, { qos: qosOf(flags), retain, released, message, shard, sequence, share: undefined }];
  });
  const lastNumber = from.integer();
  const inbound = Array.from({ length: from.count() }, (): [number, InboundState, number] => [
    from.integer(),
    from.integer() === 1 ? 'stored' : 'unsure',
    from.integer(),
  ]);
  return { uid, cursor, subscriptions, inflight, lastNumber, inbound };
}

function qosOf(flags: number): Qos {
  const qos = flags & 3;
  if (qos === 0 || qos === 1 || qos === 2) return qos;
  throw new RangeError('a session with QoS 3');
}
