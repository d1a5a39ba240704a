import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Client, hold, lasting, type Publish, publish, Rig, textOf } from './support/rig.ts';

/** Receive Maximum both ways (MQTT 5.0, 3.3.4 and 4.9), and packet identifiers (2.2.1). */

const IN = 5;
const test = suite('mqtt/windows');
const rig = new Rig();

test.before(() => rig.start({ limits: { inflightIn: IN } }));
test.after(() => rig.stop());
test.after.each(() => rig.leave());

const idOf = (message: Publish | undefined): number => message?.messageId ?? 0;
const texts = (packets: readonly { cmd?: string }[]): string[] =>
  packets.map((each) => (isPublish(each) ? textOf(each) : (each.cmd ?? '')));

function isPublish(packet: object): packet is Publish {
  return 'cmd' in packet && packet.cmd === 'publish';
}

/** Publishes each at its QoS, in order, to the end. */
async function publishAll(sender: Client, topic: string, qos: readonly (1 | 2)[], from = 0): Promise<void> {
  for (const [i, each] of qos.entries()) {
    sender.publish(topic, `${from + i}`, { qos: each, messageId: 1 });
    await sender.next();
    if (each === 1) continue;
    sender.send({ cmd: 'pubrel', messageId: 1 });
    await sender.expect('pubcomp');
  }
}

// --- towards the client ---------------------------------------------------------------------------------------------

test('[MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-3.3.4-9] QoS 1 and 2 share one window; PUBACK, PUBCOMP and PUBREC from 0x80 on open it, PUBREC does not', async () => {
  const [watcher, sender] = [await rig.client('w', { properties: { receiveMaximum: 3 } }), await rig.client('c')];
  await watcher.subscribe('out', 2);
  await publishAll(sender, 'out', [1, 2, 2, 1, 2, 1, 2, 1]);
  const [a, b, c] = await hold(watcher, 3);
  assert.equal(await watcher.flush(), [], 'three of them, of whatever QoS');
  watcher.send({ cmd: 'pubrec', messageId: idOf(b) });
  assert.equal(texts(await watcher.flush()), ['pubrel']);
  watcher.send({ cmd: 'puback', messageId: idOf(a) });
  assert.equal(texts(await watcher.flush()), ['3']);
  watcher.send({ cmd: 'pubcomp', messageId: idOf(b) });
  assert.equal(texts(await watcher.flush()), ['4']);
  watcher.send({ cmd: 'pubrec', messageId: idOf(c), reasonCode: 0x80 });
  assert.equal(texts(await watcher.flush()), ['5']);
  // What is not in flight, or not of that kind, opens nothing.
  for (const messageId of [idOf(a), idOf(c), 999]) {
    watcher.send({ cmd: 'puback', messageId });
    watcher.send({ cmd: 'pubcomp', messageId });
  }
  assert.equal(await watcher.flush(), []);
});

test('[MQTT-4.9.0-3] [MQTT-3.3.4-10] with the window full QoS 0 goes on, and so does every answer', async () => {
  const [watcher, sender] = [await rig.client('w', { properties: { receiveMaximum: 1 } }), await rig.client('c')];
  await watcher.subscribe('out/+', 2);
  await publishAll(sender, 'out/a', [2, 1, 1]);
  const [first] = await hold(watcher, 1);
  sender.publish('out/b', 'live');
  assert.equal((await hold(watcher, 1)).map(textOf), ['live']);
  await watcher.subscribe('other', 1);
  watcher.send({ cmd: 'unsubscribe', messageId: 5, unsubscriptions: ['other'] });
  await watcher.expect('unsuback');
  watcher.publish('mine', 'x', { qos: 1, messageId: 6 });
  await watcher.expect('puback');
  watcher.publish('mine', 'x', { qos: 2, messageId: 7 });
  await watcher.expect('pubrec');
  watcher.send({ cmd: 'pubrel', messageId: 7 });
  await watcher.expect('pubcomp');
  watcher.send({ cmd: 'pubrec', messageId: idOf(first) });
  await watcher.expect('pubrel');
  assert.equal(await watcher.flush(), []);
  watcher.send({ cmd: 'pubcomp', messageId: idOf(first) });
  assert.equal((await hold(watcher, 1)).map(textOf), ['1']);
});

test('4.9 the window of a new connection begins anew: PUBRELs are outside, in the order of their PUBRECs, and PUBCOMP to them opens nothing', async () => {
  const sender = await rig.client('c');
  const first = await rig.client('w', lasting);
  await first.subscribe('out', 2);
  await publishAll(sender, 'out', [2, 2, 2, 1, 2]);
  const sent = await hold(first, 5);
  for (const i of [1, 0]) {
    first.send({ cmd: 'pubrec', messageId: idOf(sent[i]) });
    await first.expect('pubrel');
  }
  first.destroy();
  const properties = { sessionExpiryInterval: 600, receiveMaximum: 2 };
  const second = await rig.client('w', { clean: false, properties });
  for (const i of [1, 0]) assert.is((await second.expect('pubrel')).messageId, idOf(sent[i]), '[MQTT-4.6.0-4]');
  const again = await hold(second, 2);
  assert.equal(
    again.map(({ messageId, dup }) => [messageId, dup]),
    [2, 3].map((i) => [idOf(sent[i]), true]),
  );
  await publishAll(sender, 'out', [1, 1], 5);
  assert.equal(await second.flush(), []);
  for (const i of [1, 0]) second.send({ cmd: 'pubcomp', messageId: idOf(sent[i]) });
  assert.equal(await second.flush(), [], 'their PUBLISH was not of this connection');
  second.send({ cmd: 'puback', messageId: idOf(sent[3]) });
  assert.equal(texts(await second.flush()), ['4']);
  for (const [i, next] of [
    [2, '5'],
    [4, '6'],
  ] as const) {
    second.send({ cmd: 'pubrec', messageId: idOf(sent[i]) });
    await second.expect('pubrel');
    second.send({ cmd: 'pubcomp', messageId: idOf(sent[i]) });
    assert.equal((await hold(second, 1)).map(textOf), [next]);
  }
  await rig.client('w', { clean: true });
});

test('4.9 an answer to what an earlier connection sent, before it is sent again, opens nothing', async () => {
  const sender = await rig.client('c');
  const first = await rig.client('w', lasting);
  await first.subscribe('out', 1);
  await publishAll(sender, 'out', [1, 1, 1, 1]);
  const sent = await hold(first, 4);
  first.destroy();
  const properties = { sessionExpiryInterval: 600, receiveMaximum: 2 };
  const second = await rig.client('w', { clean: false, properties });
  assert.equal((await hold(second, 2)).map(textOf), ['0', '1']);
  second.send({ cmd: 'puback', messageId: idOf(sent[3]) });
  assert.equal(await second.flush(), []);
  second.send({ cmd: 'puback', messageId: idOf(sent[0]) });
  assert.equal(texts(await second.flush()), ['2']);
  second.send({ cmd: 'puback', messageId: idOf(sent[1]) });
  assert.equal(await second.flush(), [], 'the last one is settled');
  await rig.client('w', { clean: true });
});

test('[MQTT-2.2.1-2] [MQTT-2.2.1-4] QoS 0 has no identifier; others have one that is neither 0 nor in flight', async () => {
  const [watcher, sender] = [await rig.client('w'), await rig.client('c')];
  await watcher.subscribe('out', 2);
  sender.publish('out', 'x');
  const [live] = await hold(watcher, 1);
  // 3 of topic length and topic, no properties, payload.
  assert.equal([live?.messageId, live?.length], [undefined, 2 + 3 + 1 + 1]);
  await publishAll(
    sender,
    'out',
    Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 1 : 2)),
  );
  const used = (await hold(watcher, 40)).map(idOf);
  assert.is(new Set(used).size, 40);
  assert.ok(used.every((id) => id > 0));
});

// --- from the client ------------------------------------------------------------------------------------------------

const fill = (sender: Client): void => {
  for (let i = 1; i <= IN; i++) sender.publish('in', `${i}`, { qos: 2, messageId: i });
};

for (const qos of [1, 2] as const) {
  test(`[MQTT-3.3.4-7] one more than our Receive Maximum, of QoS ${qos}: DISCONNECT 0x93, and it is not published`, async () => {
    const [watcher, sender] = [await rig.client('w'), await rig.client('c')];
    await watcher.subscribe('in', 0);
    assert.is(sender.connack.properties?.receiveMaximum, IN);
    fill(sender);
    for (let i = 1; i <= IN; i++) assert.is((await sender.expect('pubrec')).messageId, i);
    sender.publish('in', 'live');
    await sender.flush();
    sender.publish('in', 'more', { qos, messageId: 100 });
    assert.is((await sender.expect('disconnect')).reasonCode, 0x93);
    await sender.end();
    assert.equal(texts(await watcher.flush()), ['1', '2', '3', '4', '5', 'live']);
  });
}

test('4.9 PUBREL makes room; a repetition takes none; nor does what was refused', async () => {
  const sender = await rig.client('c');
  for (let i = 1; i <= 2 * IN; i++) sender.publish('$SYS/x', 'x', { qos: 2, messageId: i });
  for (let i = 1; i <= 2 * IN; i++) assert.is((await sender.expect('pubrec')).reasonCode, 0x87);
  fill(sender);
  for (let i = 1; i <= IN; i++) await sender.expect('pubrec');
  for (let round = 0; round < 3; round++) {
    sender.publish('in', '1', { qos: 2, messageId: 1, dup: true });
    await sender.expect('pubrec');
  }
  for (let i = 1; i <= IN; i++) {
    sender.send({ cmd: 'pubrel', messageId: i });
    await sender.expect('pubcomp');
    sender.publish('in', 'x', { qos: 2, messageId: 100 + i });
    await sender.expect('pubrec');
  }
});

test('4.9 what is left of an earlier connection leaves a whole window to the next one, and no more than that', async () => {
  const first = await rig.client('c', lasting);
  fill(first);
  for (let i = 1; i <= IN; i++) await first.expect('pubrec');
  first.destroy();
  const second = await rig.client('c', lasting);
  for (let i = 1; i <= IN; i++) second.publish('in', 'x', { qos: 2, messageId: 10 + i });
  for (let i = 1; i <= IN; i++) assert.is((await second.expect('pubrec')).messageId, 10 + i);
  second.destroy();
  const third = await rig.client('c', lasting);
  third.publish('in', 'x', { qos: 2, messageId: 20 });
  assert.is((await third.expect('disconnect')).reasonCode, 0x93);
  const last = await rig.client('c', lasting);
  for (let i = 1; i <= IN; i++) {
    for (const messageId of [i, 10 + i]) {
      last.send({ cmd: 'pubrel', messageId });
      assert.is((await last.expect('pubcomp')).reasonCode ?? 0, 0);
    }
  }
  await rig.client('c', { clean: true });
});

test('before MQTT 5 the bound is for QoS 2, and more closes the connection', async () => {
  const sender = await rig.client('c', { protocolVersion: 4 });
  fill(sender);
  for (let i = 1; i <= IN; i++) await sender.expect('pubrec');
  await publish(sender, 'in', ['1', '2', '3']);
  sender.publish('in', 'more', { qos: 2, messageId: 100 });
  assert.equal(await sender.end(), []);
});

for (const [what, bytes] of [
  ['PUBLISH', [0x32, 5, 0, 1, 0x61, 0, 0]],
  ['SUBSCRIBE', [0x82, 7, 0, 0, 0, 0, 1, 0x61, 0]],
  ['UNSUBSCRIBE', [0xa2, 6, 0, 0, 0, 0, 1, 0x61]],
  ['PUBACK', [0x40, 2, 0, 0]],
  ['PUBREL', [0x62, 2, 0, 0]],
] as const) {
  test(`[MQTT-2.2.1-3] ${what} with packet identifier 0 is malformed`, async () => {
    const client = await rig.client('c');
    client.write(Buffer.from(bytes));
    const reason = (await client.expect('disconnect')).reasonCode ?? 0;
    assert.ok(reason === 0x81 || reason === 0x82, `${reason}`);
  });
}

test('[MQTT-3.3.4-7] a message that is refused counts until its answer has gone, which waits for earlier ones', async () => {
  for (const qos of [1, 2] as const) {
    const client = await rig.client('c');
    // In one piece: the first one is not stored before the last one is here.
    const send = (refused: number): void => {
      client.socket.cork();
      client.publish('in', 'x', { qos, messageId: 1 });
      for (let i = 0; i < refused; i++) client.publish('$SYS/x', 'x', { qos, messageId: 2 + i });
      client.socket.uncork();
    };
    send(IN - 1);
    const answers = (await client.flush()).map((each) => ('reasonCode' in each ? each.reasonCode : undefined));
    assert.equal(answers, [0x10, 0x87, 0x87, 0x87, 0x87]);
    if (qos === 2) {
      client.send({ cmd: 'pubrel', messageId: 1 });
      await client.expect('pubcomp');
    }
    send(IN);
    const last = (await client.end()).at(-1);
    assert.is(last?.cmd === 'disconnect' ? last.reasonCode : last?.cmd, 0x93);
  }
});

test.run();
