import { once } from 'node:events';
import { request } from 'node:http';
import { Socket } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startBroker, type TestBroker } from '../../support/broker.ts';
import { eventually } from '../../support/eventually.ts';
import { RawMqtt } from '../../support/mqtt-client.ts';
import { RawStomp } from '../../support/stomp-client.ts';

/** Packets, messages and bytes as the broker counts them for `$SYS/`, against what a client's own socket counted. */

const test = suite('crossing/sys-counters');
const clients: { destroy(): void }[] = [];
let server: TestBroker;

test.before.each(async () => {
  // No updates within the test: they would be counted, too.
  server = await startBroker({ sys: { intervalSeconds: 1000 } });
});
test.after.each(async () => {
  for (const each of clients.splice(0)) each.destroy();
  await server.broker.stop();
});

function known<T extends { destroy(): void }>(client: T): T {
  clients.push(client);
  return client;
}

async function mqtt(clientId: string, options: object = {}): Promise<RawMqtt> {
  return known(await RawMqtt.connect(server.mqtt, { clientId, ...options }));
}

test('packets and bytes: as many as a client on TCP wrote and read', async () => {
  const { counters } = server.broker;
  const client = await mqtt('a', { protocolVersion: 5 });
  await client.subscribe('t', 1);
  client.publish('t', 'x'.repeat(100));
  client.publish('t', 'y'.repeat(200_000), { qos: 1, messageId: 1 });
  client.publish('elsewhere', 'z', { retain: true });
  const packets: string[] = [];
  while (packets.length < 3) {
    const packet = await client.next();
    packets.push(packet.cmd);
    if (packet.cmd === 'publish' && packet.qos === 1) {
      client.send({ cmd: 'puback', messageId: packet.messageId ?? 0 });
    }
  }
  await client.flush();
  assert.equal(packets.sort(), ['puback', 'publish', 'publish']);
  const { socket } = client;
  assert.ok(socket instanceof Socket);
  const { bytesRead, bytesWritten } = socket;
  assert.equal([counters.bytesReceived, counters.bytesSent], [bytesWritten, bytesRead]);
  // CONNECT, SUBSCRIBE, three PUBLISH, PUBACK, PINGREQ; CONNACK, SUBACK, two PUBLISH, PUBACK, PINGRESP.
  assert.equal([counters.packetsReceived, counters.packetsSent], [7, 6]);
  assert.equal([counters.received, counters.receivedBytes], [3, 200_101]);
  assert.equal([counters.delivered, counters.deliveredBytes], [2, 200_100]);
});

test('packets: in pieces, many at once, and the last one refused', async () => {
  const { counters } = server.broker;
  const client = await mqtt('a');
  client.write(0xc0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  client.write(0, 0xc0, 0, 0xc0, 0, 0xf0, 0);
  await client.end();
  assert.is(counters.packetsReceived, 5);
  const { socket } = client;
  assert.ok(socket instanceof Socket);
  assert.is(counters.bytesReceived, socket.bytesWritten);
});

test('STOMP frames and bytes', async () => {
  const { counters } = server.broker;
  const client = known(await RawStomp.connect(server.stomp));
  client.send('SUBSCRIBE', { id: '1', destination: '/topic/a', receipt: 'r' });
  await client.expect('RECEIPT');
  for (const body of ['one', 'two']) client.send('SEND', { destination: '/topic/a' }, body);
  for (const _ of [1, 2]) await client.expect('MESSAGE');
  const { socket } = client;
  assert.ok(socket instanceof Socket);
  const { bytesRead, bytesWritten } = socket;
  assert.equal([counters.bytesReceived, counters.bytesSent], [bytesWritten, bytesRead]);
  // CONNECT, SUBSCRIBE, two SEND; CONNECTED, RECEIPT, two MESSAGE.
  assert.equal([counters.packetsReceived, counters.packetsSent], [4, 4]);
  assert.equal([counters.received, counters.receivedBytes], [2, 6]);
  assert.equal([counters.delivered, counters.deliveredBytes], [2, 6]);
});

/** A WebSocket whose handshake is done: the socket, and how many bytes were read and written until then. */
async function webSocket(path: string, protocol: string): Promise<{ socket: Socket; read: number; written: number }> {
  const { host, port } = server.http;
  const handshake = request({
    host,
    port,
    path,
    headers: {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
      'Sec-WebSocket-Protocol': protocol,
    },
  });
  handshake.end();
  const [, socket]: [unknown, Socket] = await new Promise((resolve) =>
    handshake.on('upgrade', (response, upgraded: Socket) => resolve([response, upgraded])),
  );
  known(socket);
  socket.resume();
  return { socket, read: socket.bytesRead, written: socket.bytesWritten };
}

/** A frame from a client, of less than 64 KiB (RFC 6455, 5.2), with a mask of zeros. */
function frame(opcode: number, text: Buffer): Buffer {
  const length = text.length < 126 ? [0x80 | text.length] : [0xfe, text.length >> 8, text.length & 0xff];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...length, 0, 0, 0, 0]), text]);
}

for (const [path, protocol, opcode, hello, packets] of [
  ['/ws', 'trimaran.v1', 1, Buffer.from('{"type":"hello"}'), 1],
  ['/mqtt', 'mqtt', 2, Buffer.from('101000044d5154540402003c000477656273c000', 'hex'), 2],
  ['/stomp', 'v12.stomp', 1, Buffer.from('CONNECT\naccept-version:1.2\nhost:x\n\n\0'), 1],
] as const) {
  test(`${path}: bytes with the frames of the WebSocket around them, after its handshake`, async () => {
    const { counters } = server.broker;
    const { socket, read, written } = await webSocket(path, protocol);
    assert.equal([counters.bytesReceived, counters.bytesSent], [0, 0]);
    socket.write(frame(opcode, hello));
    await eventually('an answer', () => counters.packetsSent === packets && counters.bytesSent > 0);
    await eventually('all of it', () => socket.bytesRead - read === counters.bytesSent);
    assert.is(counters.bytesReceived, socket.bytesWritten - written);
    assert.is(counters.packetsReceived, packets);
    assert.is(counters.clients, 1);
    socket.destroy();
    await once(socket, 'close');
    await eventually('it is gone', () => counters.clients === 0);
  });
}

test.run();
