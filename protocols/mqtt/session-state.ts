import type { Qos, UserProperty } from '../../src/core/message.ts';
import { Packer, Unpacker } from '../../src/core/pack.ts';
import { readRecord, recordBytes, writeRecord } from '../../src/core/record.ts';
import type { Subscription } from '../../src/ports/routing.ts';
import type { InboundState } from './inbound.ts';
import type { Sent } from './inflight.ts';

export interface SubscriptionOptions extends Omit<Subscription, 'subscriber' | 'id' | 'share'> {
  /** User properties of its SUBSCRIBE that were ours (`wishes.ts`). */
  readonly wishes: readonly UserProperty[];
  /** Per shard, where it goes on in the log; undefined where it has no way of its own. */
  readonly cursor: readonly number[] | undefined;
}

/** Session state (MQTT 5.0, 4.1) as it is kept while the client is away, and through crashes. */
export interface SessionState {
  /** Names the session among all that ever were. */
  readonly uid: string;
  readonly subscriptions: readonly SubscriptionOptions[];
  /** The topic for answers it was given; empty when it asked for none. */
  readonly reply: string;
  /** Per shard, where to go on in the log. */
  readonly cursor: readonly number[];
  readonly inflight: Iterable<readonly [packetId: number, Sent]>;
  readonly lastNumber: number;
  readonly inbound: Iterable<readonly [packetId: number, InboundState, number: number]>;
}

/** 1 had no ways of their own, no wishes and no topics for answers. */
const FORMAT = 2;

const RETAIN = 0x04;
const RELEASED = 0x08;
const MESSAGE = 0x10;
const NO_LOCAL = 0x04;
const RETAIN_AS_PUBLISHED = 0x08;
const OWN_CURSOR = 0x10;
/** Written and read as these numbers. */
const INBOUND: readonly InboundState[] = ['storing', 'stored', 'unsure'];
const NO_WISHES: readonly UserProperty[] = [];

export function encodeState(state: SessionState): Uint8Array {
  const packer = new Packer().integer(FORMAT).text(state.uid).text(state.reply).integers(state.cursor);
  packer.integer(state.subscriptions.length);
  for (const { filter, qos, noLocal, retainAsPublished, identifier, since, wishes, cursor } of state.subscriptions) {
    const flags = qos | (noLocal ? NO_LOCAL : 0) | (retainAsPublished ? RETAIN_AS_PUBLISHED : 0);
    packer.text(filter).integer(flags | (cursor === undefined ? 0 : OWN_CURSOR));
    packer.integer(identifier).integers(since).integer(wishes.length);
    for (const [name, value] of wishes) packer.text(name).text(value);
    if (cursor !== undefined) packer.integers(cursor);
  }
  // What a group or queue gave at QoS 1 goes back to it.
  const inflight = [...state.inflight].filter(([, { holding, qos }]) => holding === undefined || qos === 2);
  packer.integer(inflight.length);
  for (const [packetId, { qos, retain, released, message, shard, sequence, source }] of inflight) {
    const kept = message === undefined ? 0 : MESSAGE;
    packer.integer(packetId).integer(qos | (retain ? RETAIN : 0) | (released ? RELEASED : 0) | kept);
    packer.integer(shard).integer(sequence).text(source);
    if (message === undefined) continue;
    const record = Buffer.allocUnsafe(recordBytes(message));
    writeRecord(record, 0, message);
    packer.bytes(record);
  }
  const inbound = [...state.inbound];
  packer.integer(state.lastNumber).integer(inbound.length);
  for (const [packetId, received, number] of inbound) {
    packer.integer(packetId).integer(INBOUND.indexOf(received)).integer(number);
  }
  return packer.done();
}

/** Throws RangeError on bytes that are no session state. */
export function decodeState(bytes: Uint8Array): SessionState {
  const from = new Unpacker(bytes);
  const format = from.integer();
  if (format !== FORMAT && format !== 1) throw new RangeError(`a session of format ${format}; ${FORMAT} is expected`);
  const old = format === 1;
  const uid = from.text();
  const reply = old ? '' : from.text();
  const cursor = from.integers();
  const subscriptions = Array.from({ length: from.count() }, (): SubscriptionOptions => {
    const filter = from.text();
    const flags = from.integer();
    const noLocal = (flags & NO_LOCAL) !== 0;
    const retainAsPublished = (flags & RETAIN_AS_PUBLISHED) !== 0;
    const [identifier, since] = [from.integer(), from.integers()];
    const wishes = old ? NO_WISHES : Array.from({ length: from.count() }, () => [from.text(), from.text()] as const);
    const own = !old && (flags & OWN_CURSOR) !== 0 ? from.integers() : undefined;
    return { filter, qos: qosOf(flags), noLocal, retainAsPublished, identifier, since, wishes, cursor: own };
  });
  const inflight = Array.from({ length: from.count() }, (): [number, Sent] => {
    const packetId = from.integer();
    const flags = from.integer();
    const [shard, sequence] = [from.integer(), from.integer()];
    const source = old ? '' : from.text();
    const record = (flags & MESSAGE) === 0 ? undefined : Buffer.from(from.bytes());
    const message = record && readRecord(record, 0, record.length);
    const [retain, released] = [(flags & RETAIN) !== 0, (flags & RELEASED) !== 0];
    const sent = { qos: qosOf(flags), retain, released, message, shard, sequence, source };
    return [packetId, { ...sent, holding: undefined, delivery: 0 }];
  });
  const lastNumber = from.integer();
  const inbound = Array.from({ length: from.count() }, (): [number, InboundState, number] => [
    from.integer(),
    INBOUND[from.integer()] ?? 'unsure',
    from.integer(),
  ]);
  return { uid, reply, cursor, subscriptions, inflight, lastNumber, inbound };
}

function qosOf(flags: number): Qos {
  const qos = flags & 3;
  if (qos === 0 || qos === 1 || qos === 2) return qos;
  throw new RangeError('a session with QoS 3');
}
