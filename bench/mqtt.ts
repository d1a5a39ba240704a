import { type Dialect, LAST_BYTE, PAYLOAD, SEQUENCE_AT } from './dialect.ts';
import type { Peer } from './peer.ts';

/** MQTT 3.1.1, as much of it as a load needs. */

const CONNECT = 0x10;
const CONNACK = 2;
const PUBLISH = 3;
const PUBACK = 4;
/** PUBACK with two bytes to follow. */
const PUBACK_HEAD = 0x4002_0000;
const SUBSCRIBE = 0x82;
const SUBACK = 9;

/** Seconds. Loads are never silent that long, and idle connections are closed sooner. */
const KEEP_ALIVE = 300;

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

function packet(first: number, ...parts: Uint8Array[]): Buffer {
  let length = parts.reduce((sum, part) => sum + part.length, 0);
  const header = [first];
  do {
    header.push((length & 0x7f) | (length > 0x7f ? 0x80 : 0));
    length >>= 7;
  } while (length > 0);
  return Buffer.concat([Buffer.from(header), ...parts]);
}

function scan(data: DataView, from: number, to: number, peer: Peer): number {
  let at = from;
  while (to - at >= 2) {
    const first = data.getUint8(at);
    let length = data.getUint8(at + 1);
    let body = at + 2;
    if (length > 0x7f) {
      length &= 0x7f;
      for (let shift = 7; ; shift += 7) {
        if (body >= to) return at;
        const next = data.getUint8(body++);
        length |= (next & 0x7f) << shift;
        if (next <= 0x7f) break;
      }
    }
    const end = body + length;
    if (end > to) return at;
    const kind = first >> 4;
    if (kind === PUBLISH) {
      let payload = body + 2 + data.getUint16(body);
      if ((first & 0x06) !== 0) {
        const { buffer, at: ack } = peer.reserve(4);
        buffer.writeUInt32BE(PUBACK_HEAD | data.getUint16(payload), ack);
        payload += 2;
      }
      if (end - payload === PAYLOAD && data.getUint8(end - 1) === LAST_BYTE) {
        peer.arrived(data.getUint32(payload), data.getUint32(payload + SEQUENCE_AT));
      } else {
        peer.corrupt++;
      }
    } else if (kind === PUBACK) {
      peer.acknowledged++;
    } else if (kind === CONNACK || kind === SUBACK) {
      const code = data.getUint8(end - 1);
      peer.control(code >= 0x80 || (kind === CONNACK && code !== 0) ? `refused with code ${code}` : undefined);
    } else {
      peer.control(`unexpected packet of type ${kind}`);
    }
    at = end;
  }
  return at;
}

export const mqtt: Dialect = {
  name: 'mqtt',
  tail: 0,
  topic: (scenario, index) => `bench/${scenario}/${index}`,
  everyTopic: (scenario) => `bench/${scenario}/+`,
  hello: (id) => packet(CONNECT, text('MQTT'), Buffer.from([4, 0x02, KEEP_ALIVE >> 8, KEEP_ALIVE & 0xff]), text(id)),
  subscribe: (filter, qos) => packet(SUBSCRIBE, Buffer.from([0, 1]), text(filter), Buffer.from([qos])),
  publication: (topic, payload, qos, packetId) =>
    packet(
      (PUBLISH << 4) | (qos << 1),
      text(topic),
      Buffer.from(qos === 0 ? [] : [packetId >> 8, packetId & 0xff]),
      payload,
    ),
  scan,
};
