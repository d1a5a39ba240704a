import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connect, data, MqttWire, packet, raw, word } from '../../support/mqtt-wire.ts';
import { TimedBroker } from '../../support/timed-broker.ts';

/** Keep alive (3.1.2.10) and the time a connection has for its CONNECT, of every version; time passes as the test says. */

for (const level of [3, 4, 5]) {
  const test = suite(`mqtt311/3-01-keep-alive, level ${level}`);
  let broker: TimedBroker;
  const wires: MqttWire[] = [];

  test.before.each(async () => {
    broker = await TimedBroker.start();
  });
  test.after.each(async () => {
    for (const each of wires.splice(0)) each.destroy();
    await broker.stop();
  });

  async function open(): Promise<MqttWire> {
    const opened = await MqttWire.open(broker.mqtt);
    wires.push(opened);
    return opened;
  }

  async function client(keepAlive: number, id = 'c', flags = 0x02): Promise<MqttWire> {
    const opened = await open();
    const will = `${level === 5 ? '00' : ''}${data('will')}${data('x')}`;
    opened.send(connect({ level, keepAlive, flags, payload: `${data(id)}${(flags & 4) === 0 ? '' : will}` }));
    await opened.next();
    return opened;
  }

  /** What a client is told at the end: before MQTT 5 nothing. */
  const told = (packets: readonly string[]): void => {
    if (level < 5) assert.equal(packets, []);
    else assert.match(packets[packets.length - 1] ?? '', /^e0..8d/);
  };

  test('[MQTT-3.1.2-24] (3.1.2-22 in 5.0) nothing for one and a half times the keep alive: closed', async () => {
    const silent = await client(10);
    broker.pass(14);
    assert.equal(await silent.flush(), [], 'still there after 14 of 15 seconds');
    broker.pass(14);
    assert.equal(await silent.flush(), [], 'PINGREQ begins it anew');
    broker.pass(17);
    told(await silent.end());
  });

  for (const [what, sent, answer] of [
    ['PUBLISH', packet(0x30, data('t'), level === 5 ? '00' : '', raw('x')), undefined],
    ['SUBSCRIBE', packet(0x82, word(1), level === 5 ? '00' : '', data('t'), '00'), /^90/],
    ['PUBREL', packet(0x62, word(1)), /^70/],
  ] as const) {
    test(`[MQTT-3.1.2-23] ${what} counts like PINGREQ`, async () => {
      const active = await client(10);
      for (let i = 0; i < 4; i++) {
        broker.pass(12);
        active.send(sent);
        if (answer !== undefined) assert.match(await active.next(), answer);
        else assert.equal(await active.flush(), []);
      }
      broker.pass(17);
      told(await active.end());
    });
  }

  test('what the client is sent does not count', async () => {
    const silent = await client(10);
    silent.send(packet(0x82, word(1), level === 5 ? '00' : '', data('t'), '00'));
    await silent.next();
    const publisher = await client(0, 'p');
    for (let i = 0; i < 3; i++) {
      broker.pass(5.5);
      publisher.send(packet(0x30, data('t'), level === 5 ? '00' : '', raw('x')));
      if (i < 2) assert.match(await silent.next(), /^30/);
    }
    told((await silent.end()).filter((each) => !each.startsWith('30')));
  });

  test('3.1.2.10 it begins with CONNECT, not with the connection', async () => {
    const late = await open();
    broker.pass(8);
    late.send(connect({ level, keepAlive: 2 }));
    await late.next();
    broker.pass(1);
    assert.equal(await late.flush(), []);
    broker.pass(4);
    told(await late.end());
  });

  test('3.1.2.10 keep alive 0: not closed for ten minutes', async () => {
    const idle = await client(0);
    for (let i = 0; i < 10; i++) broker.pass(60);
    assert.equal(await idle.flush(), []);
  });

  test('3.1.2.5 the will of a client that is silent for too long is published', async () => {
    const watcher = await client(0, 'w');
    watcher.send(packet(0x82, word(1), level === 5 ? '00' : '', data('will'), '00'));
    await watcher.next();
    const silent = await client(10, 's', 0x06);
    broker.pass(17);
    told(await silent.end());
    assert.match(await watcher.next(), /^30/);
  });

  test('a connection without CONNECT, or with half of one, is closed in time (limits.loginSeconds)', async () => {
    const [mute, half] = [await open(), await open()];
    half.send(connect({ level }).slice(0, 12));
    await client(0, 'other');
    broker.pass(60);
    assert.equal(await mute.end(), []);
    assert.equal(await half.end(), []);
  });

  test.run();
}
