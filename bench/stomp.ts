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

/** Behind the empty line that ends the headers, or -1. */
function bodyAt(data: DataView, from: number, to: number): number {
  for (let at = from; at < to - 1; at++) {
    if (data.getUint8(at) !== LF) continue;
    const next = data.getUint8(at + 1);
    if (next === LF) return at + 2;
    if (next === CR && at + 2 < to && data.getUint8(at + 2) === LF) return at + 3;
  }
  return -1;
}

function scan(data: DataView, from: number, to: number, peer: Peer): number {
  let at = from;
  while (at < to) {
    const first = data.getUint8(at);
    if (first === LF || first === CR) {
      at++;
      continue;
    }
    const body = bodyAt(data, at, to);
    if (body < 0) return at;
    if (first === MESSAGE) {
      const end = body + PAYLOAD;
      if (end >= to) return at;
      if (data.getUint8(end) === NUL && data.getUint8(end - 1) === LAST_BYTE) {
        peer.arrived(data.getUint32(body), data.getUint32(body + SEQUENCE_AT));
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
      peer.control(first === CONNECTED || first === RECEIPT ? undefined : 'an ERROR frame');
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
  hello: () => frame('CONNECT', { 'accept-version': '1.2', host: 'bench', 'heart-beat': '0,0' }),
  subscribe: (filter) => frame('SUBSCRIBE', { id: 0, destination: filter, ack: 'auto', receipt: 'subscribed' }),
  publication: (topic, payload) => frame('SEND', { destination: topic, 'content-length': payload.length }, payload),
  scan,
};
