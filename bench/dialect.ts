import type { Peer } from './peer.ts';

/** What a load needs to know about a protocol. Everything is built before a run, except the sequence numbers. */
export interface Dialect {
  readonly name: 'mqtt' | 'stomp';
  /** The name publisher number `index` publishes to. */
  topic(scenario: string, index: number): string;
  /** A filter that matches all topics of the scenario. */
  everyTopic(scenario: string): string;
  /** The connection's first bytes; the broker answers with one control packet. */
  hello(id: string): Buffer;
  /** Likewise answered with one control packet. */
  subscribe(filter: string, qos: 0 | 1): Buffer;
  /** A message whose last `payload` bytes are followed by `tail` bytes of framing. Packet ids begin at 1. */
  publication(topic: string, payload: Uint8Array, qos: 0 | 1, packetId: number): Buffer;
  /** Bytes of framing behind the payload. */
  readonly tail: number;
  /** Reads whole packets of `data[from, to)`, tells the peer, and returns where the first incomplete one begins. */
  scan(data: DataView, from: number, to: number, peer: Peer): number;
}

export const PAYLOAD = 64;

/**
 * The payload: number of the publisher (4 bytes), sequence number (4 bytes), and a filling whose last byte is looked at
 * on arrival.
 */
export const SEQUENCE_AT = 4;
export const LAST_BYTE = 0x5a;

export function payloadOf(publisher: number): Buffer {
  const payload = Buffer.alloc(PAYLOAD, LAST_BYTE);
  payload.writeUInt32BE(publisher, 0);
  payload.writeUInt32BE(0, SEQUENCE_AT);
  return payload;
}
