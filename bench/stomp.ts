import { type Dialect, LAST_BYTE, PAYLOAD, SEQUENCE_AT } from './dialect.ts';
import type { Peer } from './peer.ts';

/** STOMP 1.2, as much of it as a load needs: every body that arrives is known to be a payload of ours. */

const LF = 10;
const CR = 13;
const NUL = 0;

const MESSAGE = 'M'.charCodeAt(0);
const CONNECTED = 'C'.charCodeAt(0);
const RECEIPT = 'R'.charCodeAt(0);

function frame(command: string, headers: Readonly<Record<string, string | number>>, body: Uint8Array = Buffer.of()) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  return Buffer.concat([Buffer.from(`${command}\n${lines.join('')}\n`), body, Buffer.of(NUL)]);
}

/** Of a frame: where its body begins, and between which offsets the value of its header `ack` is. */
interface Head {
  body: number;
  ack: number;
  ackEnd: number;
}

/** The one head at hand. */
const head: Head = { body: -1, ack: -1, ackEnd: -1 };

/** Reads up to the empty line that ends the headers; false when that is not there yet. */
function readHead(data: DataView, from: number, to: number): boolean {
  head.ack = -1;
  for (let at = from; at < to - 1; at++) {
    if (data.getUint8(at) !== LF) continue;
    if (head.ack >= 0 && head.ackEnd < 0) head.ackEnd = data.getUint8(at - 1) === CR ? at - 1 : at;
    const next = data.getUint8(at + 1);
    if (next === LF) head.body = at + 2;
    else if (next === CR && at + 2 < to && data.getUint8(at + 2) === LF) head.body = at + 3;
    else {
      if (at + 5 < to && data.getUint32(at + 1) === ACK_HEADER) {
        head.ack = at + 5;
        head.ackEnd = -1;
      }
      continue;
    }
    return true;
  }
  return false;
}

/** `ack:` */
const ACK_HEADER = 0x61636b3a;
const ACK_START = Buffer.from('ACK\nid:');
const ACK_END = Buffer.from('\n\n\0\n');

/** An ACK frame for the message at hand. */
function acknowledge(data: DataView, peer: Peer): void {
  const length = head.ackEnd - head.ack;
  const { buffer, at } = peer.reserve(ACK_START.length + length + ACK_END.length);
  buffer.set(ACK_START, at);
  buffer.set(new Uint8Array(data.buffer, data.byteOffset + head.ack, length), at + ACK_START.length);
  buffer.set(ACK_END, at + ACK_START.length + length);
}

function scan(data: DataView, from: number, to: number, peer: Peer): number {
  let at = from;
  while (at < to) {
    const first = data.getUint8(at);
    if (first === LF || first === CR) {
      at++;
      continue;
    }
    if (!readHead(data, at, to)) return at;
    const { body } = head;
    if (first === MESSAGE) {
      const end = body + PAYLOAD;
      if (end >= to) return at;
      if (data.getUint8(end) === NUL && data.getUint8(end - 1) === LAST_BYTE) {
        peer.arrived(data.getUint32(body), data.getUint32(body + SEQUENCE_AT));
        if (head.ack >= 0) acknowledge(data, peer);
      } else {
        // Where the next frame begins is not known any more.
        peer.corrupt++;
        peer.control('a message with another body than was sent');
        return to;
      }
      at = end + 1;
    } else {
      let end = body;
      while (end < to && data.getUint8(end) !== NUL) end++;
      if (end === to) return at;
      if (first === RECEIPT && !peer.asking) peer.acknowledged++;
      else peer.control(first === CONNECTED || first === RECEIPT ? undefined : 'an ERROR frame');
      at = end + 1;
    }
  }
  return at;
}

export const stomp: Dialect = {
  name: 'stomp',
  tail: 1,
  topic: (scenario, index) => `/topic/bench.${scenario}.${index}`,
  everyTopic: (scenario) => `/topic/bench.${scenario}.*`,
  // Who RabbitMQ lets in as it is installed, and to what.
  hello: () =>
    frame('CONNECT', {
      'accept-version': '1.2',
      host: '/',
      login: 'guest',
      passcode: 'guest',
      'heart-beat': '0,0',
    }),
  subscribe: (filter) => frame('SUBSCRIBE', { id: 0, destination: filter, ack: 'auto', receipt: 'subscribed' }),
  publication: (topic, payload) => frame('SEND', { destination: topic, 'content-length': payload.length }, payload),
  scan,
};

/** Each message persistent and with a receipt. */
const receipted = (destination: string, payload: Uint8Array, id: number): Buffer =>
  frame(
    'SEND',
    { destination, persistent: 'true', receipt: String(id).padStart(6, '0'), 'content-length': payload.length },
    payload,
  );

const queue = (ack: 'client' | 'client-individual'): Dialect => ({
  ...stomp,
  topic: (scenario, index) => `/queue/bench.${scenario}.${index}`,
  everyTopic: (scenario) => `/queue/bench.${scenario}`,
  subscribe: (destination) =>
    frame('SUBSCRIBE', { id: 0, destination, ack, 'prefetch-count': 100, receipt: 'subscribed' }),
  publication: (destination, payload, _qos, id) => receipted(destination, payload, id),
});

/** A receipt for each message, and each is acknowledged. A queue for each pair. */
export const stompQueue = queue('client-individual');
/** The same, where each acknowledgement is for all before it, too. */
export const stompQueueClient = queue('client');

/** To topics, with subscriptions that are kept without a connection. */
export const stompReceipts: Dialect = {
  ...stomp,
  subscribe: (destination) =>
    frame('SUBSCRIBE', {
      id: 'bench',
      destination,
      ack: 'auto',
      durable: 'true',
      'auto-delete': 'false',
      receipt: 'subscribed',
    }),
  publication: (destination, payload, _qos, id) => receipted(destination, payload, id),
};
