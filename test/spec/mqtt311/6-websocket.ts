import { once } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { Inbox } from '../../support/inbox.ts';
import { connect, data, packet, raw, word } from '../../support/mqtt-wire.ts';
import { Rig } from '../mqtt/support/rig.ts';

/** MQTT over WebSocket (chapter 6), of 3.1.1 and 5.0. */

/** A WebSocket that shows each message as hexadecimal digits. */
class Socket {
  readonly socket: WebSocket;
  readonly messages = new Inbox<string>();
  code = 0;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (bytes: Buffer, binary) =>
      this.messages.push(binary ? bytes.toString('hex') : `text ${bytes}`),
    );
    socket.on('error', () => {});
    socket.on('close', (code) => {
      this.code = code;
      this.messages.close();
    });
  }

  send(...packets: readonly string[]): void {
    this.socket.send(Buffer.from(packets.join('').replaceAll(' ', ''), 'hex'));
  }

  /** So many bytes, however they are cut into messages. */
  async take(...packets: readonly string[]): Promise<void> {
    const expected = packets.join('').replaceAll(' ', '');
    let seen = '';
    while (seen.length < expected.length) seen += await this.messages.next();
    assert.is(seen, expected);
  }
}

for (const level of [4, 5]) {
  const test = suite(`mqtt311/6-websocket, level ${level}`);
  const rig = new Rig(4);
  const sockets: WebSocket[] = [];
  const none = level === 5 ? '00' : '';

  test.before(() => rig.start());
  test.after(() => rig.stop());
  test.after.each(() => {
    for (const each of sockets.splice(0)) each.terminate();
    rig.leave();
  });

  async function open(subprotocols: string | string[] = 'mqtt', path = '/mqtt'): Promise<Socket> {
    const { host, port } = rig.server.http;
    const socket = new WebSocket(`ws://${host}:${port}${path}`, subprotocols);
    sockets.push(socket);
    const opened = new Socket(socket);
    await once(socket, 'open');
    return opened;
  }

  async function connected(id = 'c'): Promise<Socket> {
    const socket = await open();
    socket.send(connect({ level, payload: data(id) }));
    assert.match(await socket.messages.next(), /^20..0000/);
    return socket;
  }

  const subscribe = (filter: string, qos = 0) => packet(0x82, word(1), none, data(filter), `0${qos}`);
  const suback = (qos = 0) => packet(0x90, word(1), none, `0${qos}`);
  const publish = (topic: string, payload: string) => packet(0x30, data(topic), none, raw(payload));

  test('[MQTT-6.0.0-3] [MQTT-6.0.0-4] the subprotocol is mqtt, and the server chooses it', async () => {
    assert.is((await open()).socket.protocol, 'mqtt');
    assert.is((await open(['other', 'mqtt'])).socket.protocol, 'mqtt');
  });

  test('[MQTT-6.0.0-3] subprotocols of which none is known: refused with 400', async () => {
    const { host, port } = rig.server.http;
    const socket = new WebSocket(`ws://${host}:${port}/mqtt`, ['other']);
    sockets.push(socket);
    const [error] = await once(socket, 'error');
    assert.match(String(error), '400');
  });

  test('[MQTT-6.0.0-1] a text frame: closed', async () => {
    const socket = await connected();
    socket.socket.send(Buffer.from(publish('t', 'x'), 'hex').toString('latin1'), { binary: false });
    await socket.messages.end();
    assert.is(socket.code, 1003);
  });

  test('[MQTT-6.0.0-1] a text frame as the first one: closed', async () => {
    const socket = await open();
    socket.socket.send('hello', { binary: false });
    await socket.messages.end();
    assert.is(socket.code, 1003);
  });

  test('[MQTT-6.0.0-2] packets need not be aligned on frames: one of them in many, and many in one', async () => {
    const socket = await open();
    const inPieces = (stream: string): void => {
      for (let at = 0; at < stream.length; at += 6) socket.send(stream.slice(at, at + 6));
    };
    inPieces(connect({ level }));
    assert.match(await socket.messages.next(), /^20/);
    inPieces([subscribe('f'), publish('f', '1'), publish('f', '2'), 'c000'].join(''));
    await socket.take(suback(), publish('f', '1'), publish('f', '2'), 'd000');
    socket.send(publish('f', '3'), publish('f', '4'), 'c000');
    await socket.take(publish('f', '3'), publish('f', '4'), 'd000');
  });

  test('[MQTT-6.0.0-2] a message in fragments, with a ping between them, and empty ones', async () => {
    const socket = await connected();
    const bytes = Buffer.from(subscribe('f') + publish('f', 'fragments'), 'hex');
    socket.socket.send(Buffer.alloc(0));
    socket.socket.send(bytes.subarray(0, 5), { fin: false });
    socket.socket.ping();
    socket.socket.send(bytes.subarray(5, 6), { fin: false });
    socket.socket.send(bytes.subarray(6), { fin: true });
    await socket.take(suback(), publish('f', 'fragments'));
  });

  test('6 what the server sends is binary, of any size', async () => {
    const socket = await connected();
    socket.send(subscribe('big'));
    await socket.take(suback());
    for (const size of [0, 100, 125, 126, 65_500, 200_000]) {
      const sent = publish('big', 'x'.repeat(size));
      socket.send(sent);
      await socket.take(sent);
    }
  });

  test('6 clients of TCP and of WebSocket share topics and client identifiers', async () => {
    const [socket, tcp] = [await connected('web'), await rig.client('tcp')];
    await tcp.subscribe('both');
    socket.send(publish('both', 'x'));
    assert.is((await tcp.expect('publish')).topic, 'both');
    await rig.client('web');
    await socket.messages.end();
  });

  test('6 QoS 2 both ways', async () => {
    const socket = await connected();
    socket.send(subscribe('q', 2));
    await socket.take(suback(2));
    socket.send(packet(0x34, data('q'), word(9), none, raw('x')));
    const both = [packet(0x34, data('q'), word(1), none, raw('x')), packet(0x50, word(9))];
    let seen = '';
    while (seen.length < both.join('').length) seen += await socket.messages.next();
    assert.ok(seen === both.join('') || seen === both.reverse().join(''), seen);
    socket.send(packet(0x62, word(9)));
    await socket.take(packet(0x70, word(9)));
    socket.send(packet(0x50, word(1)));
    await socket.take(packet(0x62, word(1)));
    socket.send(packet(0x70, word(1)), 'c000');
    await socket.take('d000');
  });

  test('[MQTT-3.1.2-8] the will of one whose WebSocket is closed without DISCONNECT is published', async () => {
    const watcher = await rig.client('w');
    await watcher.subscribe('will');
    for (const how of ['close', 'terminate'] as const) {
      const socket = await open();
      const will = `${level === 5 ? '00' : ''}${data('will')}${data(how)}`;
      socket.send(connect({ level, flags: 0x06, payload: `${data('c')}${will}` }));
      await socket.messages.next();
      socket.socket[how]();
      assert.is((await watcher.expect('publish')).payload.toString(), how);
    }
  });

  test('3.14 DISCONNECT closes the WebSocket in order', async () => {
    const socket = await connected();
    socket.send('e000');
    assert.equal(await socket.messages.end(), []);
    assert.is(socket.code, 1000);
  });

  test('[MQTT-4.8.0-1] (4.13.1-1 in 5.0) a packet that is malformed closes it', async () => {
    const socket = await connected();
    socket.send(packet(0x36, data('t'), word(1), none));
    assert.is((await socket.messages.end()).length, level === 5 ? 1 : 0);
  });

  test('[MQTT-3.1.0-1] a packet before CONNECT closes it', async () => {
    const socket = await open();
    socket.send('c000');
    assert.equal(await socket.messages.end(), []);
  });

  test.run();
}
