import { once } from 'node:events';
import { connect } from 'node:net';
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { startBroker, type TestBroker } from '../support/broker.ts';
import { RawJson } from '../support/json-client.ts';
import { RawMqtt } from '../support/mqtt-client.ts';
import { RawStomp } from '../support/stomp-client.ts';

/** Arbitrary bytes on any port end in an error and a close, or in waiting; the broker goes on serving others. */

const test = suite('fuzz/ports');
let server: TestBroker;

test.before(async () => {
  server = await startBroker();
});
test.after(async () => {
  const mqtt = await RawMqtt.connect(server.mqtt, { clientId: 'alive' });
  assert.equal(await mqtt.flush(), []);
  const stomp = await RawStomp.connect(server.stomp);
  assert.equal(await stomp.flush(), []);
  const json = await RawJson.connect(server.http);
  await json.request({ type: 'subscribe', filter: 'x' });
  for (const each of [mqtt, stomp, json]) each.destroy();
  await server.broker.stop();
});

/** Beginnings that get past the first checks, so that what is arbitrary comes later. */
const BEGINNINGS = {
  mqtt: ['', '10 0d 00044d515454 05 02 003c 00 0001 61', '10 0c 00044d515454 04 02 003c 0000'].map((text) =>
    Buffer.from(text.replaceAll(' ', ''), 'hex'),
  ),
  stomp: [
    '',
    'CONNECT\naccept-version:1.2\nhost:x\n\n\0',
    'CONNECT\n\n\0SEND\n',
    'STOMP\naccept-version:1.1\nhost:x\n\n\0SUBSCRIBE\nid:1\ndestination:/topic/#\n\n\0',
  ].map((text) => Buffer.from(text)),
  http: [
    '',
    'GET /health/live HTTP/1.1\r\nHost: x\r\n',
    'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  ].map((text) => Buffer.from(text)),
} as const;

for (const port of ['mqtt', 'stomp', 'http'] as const) {
  test(`arbitrary bytes on the ${port} port`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...BEGINNINGS[port]),
        fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 3 }),
        async (beginning, pieces) => {
          const socket = connect(server[port].port, '127.0.0.1');
          socket.on('error', () => {});
          await once(socket, 'connect');
          socket.resume();
          socket.write(beginning);
          for (const piece of pieces) socket.write(piece);
          socket.end();
          await once(socket, 'close');
        },
      ),
      { numRuns: 400 },
    );
  });
}

for (const path of ['/mqtt', '/stomp', '/ws']) {
  test(`arbitrary messages on the WebSocket at ${path}`, async () => {
    const text = fc.oneof(
      fc.json(),
      fc.string(),
      fc
        .record({
          type: fc.constantFrom('hello', 'publish', 'subscribe', 'unsubscribe', 'ping'),
          id: fc.jsonValue(),
          topic: fc.jsonValue(),
          filter: fc.jsonValue(),
          payload: fc.jsonValue(),
          headers: fc.jsonValue(),
        })
        .map((value) => JSON.stringify(value)),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(fc.oneof(text, fc.uint8Array({ maxLength: 100 })), { maxLength: 4 }),
        async (login, messages) => {
          const socket = new WebSocket(`ws://127.0.0.1:${server.http.port}${path}`);
          socket.on('error', () => {});
          await once(socket, 'open');
          if (login) {
            if (path === '/ws') socket.send('{"type":"hello"}');
            else socket.send(path === '/mqtt' ? (BEGINNINGS.mqtt[1] ?? '') : (BEGINNINGS.stomp[1] ?? ''));
          }
          for (const message of messages) socket.send(message);
          socket.close();
          await once(socket, 'close');
        },
      ),
      { numRuns: 200 },
    );
  });
}

test.run();
