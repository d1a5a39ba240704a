import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { OrderedReceiver, OrderedSender } from './support/resuming.ts';
import { type Client, hold, lasting, publish, Rig, receive, textOf } from './support/rig.ts';

/** Flow (MQTT 5.0, 4.6 and 4.9): order through reconnects, and one client that does not go on holds up no other. */

const COUNT = 60;
const TOPICS = ['flow/a', 'flow/b', 'flow/long/c'];
const STREAMS = TOPICS.flatMap((topic) => [`${topic} 1`, `${topic} 2`]);

for (const type of ['memory', 'embedded'] as const) {
  const test = suite(`mqtt/flow ${type}`);
  const rig = new Rig();
  let directory = '';

  test.before(() => {
    directory = mkdtempSync(join(tmpdir(), 'trimaran-flow-'));
    return rig.start({ backbone: { type, embedded: { directory } }, limits: { outputBytes: 65_536 } });
  });
  test.after(async () => {
    await rig.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  test.after.each(() => rig.leave());

  // --- order --------------------------------------------------------------------------------------------------------

  for (const [seed, window, cuts] of [
    [1, 20, 0],
    [2, 5, 0],
    [3, 1, 0],
    [4, 20, 8],
    [5, 3, 8],
  ] as const) {
    const sides = cuts === 0 ? 'the receiver' : 'both sides';
    test(`[MQTT-4.6.0-1] [MQTT-4.6.0-5] [MQTT-4.6.0-6] order of each topic and QoS through reconnects of ${sides}; seed ${seed}, window ${window}`, async () => {
      const address = rig.server.mqtt;
      const receiver = new OrderedReceiver(address, seed, {
        window,
        steady: cuts === 0,
        streams: STREAMS,
        count: COUNT,
      });
      const first = await receiver.open();
      await first.subscribe('flow/#', 2);
      first.destroy();
      const sender = new OrderedSender(address, seed + 100, TOPICS, COUNT);
      await Promise.all([receiver.run(12, 60), sender.run(cuts, 60)]);
      assert.ok(receiver.connections > 12 && sender.connections > cuts);
      const last = await receiver.open();
      assert.equal(await last.flush(), [], 'nothing is left');
      await rig.client(`receiver-${seed}`, { clean: true });
      await rig.client(`sender-${seed + 100}`, { clean: true });
      last.destroy();
    });
  }

  test('[MQTT-4.6.0-1] what came by subscriptions with ways of their own is sent again in the order it was sent', async () => {
    const sender = await rig.client('c');
    await publish(sender, 'again/old', ['1', '2', '3']);
    const first = await rig.client('s', lasting);
    await first.subscribe('again/new', 1);
    await publish(sender, 'again/new', ['a']);
    const properties = { userProperties: { start: 'first' } };
    first.send({ cmd: 'subscribe', messageId: 1, properties, subscriptions: [{ topic: 'again/old', qos: 1 }] });
    const seen: string[] = [];
    const ids: number[] = [];
    while (seen.length < 4) {
      const packet = await first.next();
      if (packet.cmd !== 'publish') continue;
      seen.push(textOf(packet));
      ids.push(packet.messageId ?? 0);
    }
    assert.equal(seen, ['a', '1', '2', '3'], 'not the order of the log');
    first.destroy();
    const second = await rig.client('s', lasting);
    const again = await hold(second, 4);
    assert.equal(again.map(textOf), seen);
    assert.equal(
      again.map(({ messageId }) => messageId),
      ids,
    );
    await rig.client('s', { clean: true });
  });

  for (const version of [4, 5] as const) {
    test(`[MQTT-4.6.0-2] [MQTT-4.6.0-3] v${version}: PUBACKs and PUBRECs are in the order of their PUBLISHes, those that refuse as well`, async () => {
      const sender = await rig.client('c', { protocolVersion: version });
      const topics = ['ordered/log', '$SYS/refused', 'ordered/other', 'ordered/log'];
      for (const [qos, answer] of [
        [1, 'puback'],
        [2, 'pubrec'],
      ] as const) {
        for (let i = 1; i <= 40; i++) sender.publish(topics[i % 4] ?? '', 'x', { qos, messageId: i });
        for (let i = 1; i <= 40; i++) assert.is((await sender.expect(answer)).messageId, i);
      }
    });
  }

  // --- one holds up no other ----------------------------------------------------------------------------------------

  /** Everyone else gets what is published, at each QoS, and the publisher its answers, while one client does not go on. */
  async function goesOn(sender: Client, watcher: Client, count = 200): Promise<void> {
    await publish(
      sender,
      'flow/x',
      Array.from({ length: count }, (_, i) => i),
    );
    const seen = await receive(watcher, count);
    assert.equal(
      seen.map(textOf),
      seen.map((_, i) => `${i}`),
    );
  }

  for (const [what, stall] of [
    [
      'that has sent QoS 2 messages and no PUBREL',
      async (slow: Client) => {
        for (let i = 1; i <= 500; i++) slow.publish('flow/y', 'x', { qos: 2, messageId: i });
        for (let i = 1; i <= 500; i++) await slow.expect('pubrec');
      },
    ],
    [
      'whose window is full of messages without PUBACK',
      async (slow: Client, sender: Client) => {
        await slow.subscribe('flow/#', 1);
        await publish(sender, 'flow/y', Array<string>(3).fill('x'));
        await hold(slow, 2);
      },
    ],
    [
      'that sends PUBREC and no PUBCOMP',
      async (slow: Client, sender: Client) => {
        await slow.subscribe('flow/#', 2);
        sender.publish('flow/y', 'x', { qos: 2, messageId: 1 });
        sender.publish('flow/y', 'x', { qos: 2, messageId: 2 });
        for (const message of await hold(slow, 2)) slow.send({ cmd: 'pubrec', messageId: message.messageId ?? 0 });
        for (let i = 0; i < 2; i++) await sender.expect('pubrec');
        for (let i = 0; i < 2; i++) await slow.expect('pubrel');
      },
    ],
    [
      'that does not read',
      async (slow: Client, sender: Client) => {
        await slow.subscribe('flow/#', 0);
        await slow.subscribe('flow/y', 1);
        slow.socket.pause();
        await publish(sender, 'flow/y', Array<string>(800).fill('x'.repeat(20_000)));
      },
    ],
    [
      'that is in the middle of a packet',
      async (slow: Client) => {
        slow.write(0x32, 0x80, 0x01, 0, 6);
      },
    ],
  ] as const) {
    test(`a client ${what} delays no other, nor the publisher`, async () => {
      const [sender, watcher] = [await rig.client('c'), await rig.client('w')];
      await watcher.subscribe('flow/x', 1);
      const slow = await rig.client('slow', { properties: { receiveMaximum: 2, sessionExpiryInterval: 600 } });
      await stall(slow, sender);
      await goesOn(sender, watcher);
      await rig.client('slow', { clean: true });
    });
  }

  test('a member of a group whose window is full delays no other member', async () => {
    const [sender, slow, fast] = [
      await rig.client('c'),
      await rig.client('slow', { properties: { receiveMaximum: 1 } }),
      await rig.client('fast'),
    ];
    for (const member of [slow, fast]) await member.subscribe('$share/flow/flow/group', 2);
    const count = 100;
    await publish(
      sender,
      'flow/group',
      Array.from({ length: count }, (_, i) => i),
    );
    const [kept] = await hold(slow, 1);
    const others = await receive(fast, count - 1);
    assert.equal(
      [...others.map(textOf), kept === undefined ? '' : textOf(kept)].sort(),
      Array.from({ length: count }, (_, i) => `${i}`).sort(),
    );
  });

  test('when the one that did not read goes on, it has everything that is acknowledged, in order', async () => {
    const [sender, slow] = [await rig.client('c'), await rig.client('slow')];
    await slow.subscribe('flow/z', 1);
    slow.socket.pause();
    const count = 1000;
    await publish(
      sender,
      'flow/z',
      Array.from({ length: count }, (_, i) => `${i}`.padEnd(10_000, '-')),
    );
    slow.socket.resume();
    const seen = await receive(slow, count);
    for (const [i, message] of seen.entries()) assert.is(Number.parseInt(textOf(message), 10), i);
  });

  test.run();
}
