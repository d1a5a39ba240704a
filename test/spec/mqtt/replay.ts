import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Client,
  hold,
  lasting,
  propertyOf,
  publish,
  Rig,
  range,
  receive,
  subscribe,
  textOf,
} from './support/rig.ts';

/** Subscriptions that begin elsewhere in the log: SUBSCRIBE with `start`, and messages with their positions. */

const test = suite('mqtt/replay');
const rig = new Rig();
test.before.each(() => rig.start());
test.after.each(() => rig.stop());

/** What comes until a ping is answered, twice: what is read from the log takes a turn. All acknowledged. */
async function rest(client: Client): Promise<string[]> {
  const seen: string[] = [];
  for (let i = 0; i < 2; i++) {
    for (const packet of await client.flush()) {
      if (packet.cmd !== 'publish') continue;
      seen.push(textOf(packet));
      if (packet.qos > 0) client.send({ cmd: 'puback', messageId: packet.messageId ?? 0 });
    }
  }
  return seen;
}

test('first: from the first message kept, then live, without gap or double; only what matches', async () => {
  const publisher = await rig.client('p');
  await publish(publisher, 't/a', range(0, 500));
  await publish(publisher, 'u', ['no']);
  const reader = await rig.client('r');
  reader.send({
    cmd: 'subscribe',
    messageId: 1,
    subscriptions: [{ topic: 't/+', qos: 1 }],
    properties: { userProperties: { start: 'first' } },
  });
  const published = publish(publisher, 't/b', range(500, 1000));
  assert.equal((await reader.expect('suback')).granted, [1]);
  assert.equal((await receive(reader, 1000)).map(textOf), range(0, 1000));
  await published;
  assert.equal(await rest(reader), []);
});

test('last N, time, position and new', async () => {
  const publisher = await rig.client('p');
  await publish(publisher, 't', range(0, 3));
  const before = Date.now();
  while (Date.now() <= before + 1) await publisher.flush();
  const time = Date.now();
  await publish(publisher, 't', range(3, 6));
  const reader = await rig.client('r');
  await subscribe(reader, 't', { start: 'first' });
  const position = propertyOf((await receive(reader, 6))[4] ?? (await reader.expect('publish')), 'position');
  assert.match(String(position), /^0-[0-9]+$/);
  for (const [start, expected] of [
    ['last 2', range(4, 6)],
    [`time ${time}`, range(3, 6)],
    [`time ${new Date(time).toISOString()}`, range(3, 6)],
    [`position ${position}`, range(4, 6)],
    ['new', []],
  ] as const) {
    const each = await rig.client('each');
    await subscribe(each, 't', { start });
    assert.equal((await receive(each, expected.length)).map(textOf), expected, start);
    assert.equal(await rest(each), [], start);
    await publish(publisher, 't/live', ['x']);
  }
});

test('subscribing again with a start begins again; without one, it goes on', async () => {
  await publish(await rig.client('p'), 't', range(0, 3));
  const reader = await rig.client('r');
  for (let i = 0; i < 2; i++) {
    await subscribe(reader, 't', { start: 'first' });
    assert.equal((await receive(reader, 3)).map(textOf), range(0, 3));
  }
  await subscribe(reader, 't');
  await publish(await rig.client('p'), 't', ['3']);
  assert.equal((await receive(reader, 1)).map(textOf), ['3']);
  assert.equal(await rest(reader), []);
});

test('a replay and a usual subscription are each other no hindrance', async () => {
  const publisher = await rig.client('p');
  await publish(publisher, 'a/x', range(0, 3));
  const reader = await rig.client('r');
  await subscribe(reader, '#');
  await subscribe(reader, 'a/#', { start: 'first' });
  assert.equal((await receive(reader, 3)).map(textOf), range(0, 3));
  await publish(publisher, 'a/x', ['3']);
  await publish(publisher, 'b', ['4']);
  const seen = await receive(reader, 3);
  assert.equal(seen.map(textOf).sort(), ['3', '3', '4'], 'a message that both match comes to each [3.3.4]');
  assert.is(seen.filter((packet) => propertyOf(packet, 'position') !== undefined).length, 1);
});

test('positions=true: messages carry their position, and one that goes on from there misses none', async () => {
  const publisher = await rig.client('p');
  const reader = await rig.client('r');
  await subscribe(reader, 't', { positions: 'true' });
  await publish(publisher, 't', range(0, 5));
  const third = (await receive(reader, 5))[2];
  if (third === undefined) throw new Error('five messages were expected');
  const other = await rig.client('o');
  await subscribe(other, 't', { start: `position ${propertyOf(third, 'position')}` });
  assert.equal((await receive(other, 3)).map(textOf), range(2, 5));
  const plain = await rig.client('plain');
  await subscribe(plain, 't');
  await publish(publisher, 't', ['5']);
  for (const packet of await receive(plain, 1)) assert.is(propertyOf(packet, 'position'), undefined);
});

test('positions=true on a subscription that is there leaves nothing out and repeats nothing', async () => {
  const publisher = await rig.client('p');
  const reader = await rig.client('r', { properties: { receiveMaximum: 2 } });
  await subscribe(reader, 't');
  await publish(publisher, 't', range(0, 4));
  const held = await hold(reader, 2);
  await subscribe(reader, 't', { positions: 'true' });
  await publish(publisher, 't', range(4, 6));
  for (const { messageId = 0 } of held) reader.send({ cmd: 'puback', messageId });
  assert.equal((await receive(reader, 4)).map(textOf), range(2, 6));
  assert.equal(await rest(reader), []);
});

test('at QoS 0, logged messages are replayed at QoS 0, and live ones follow', async () => {
  const publisher = await rig.client('p');
  await publish(publisher, 't', range(0, 3));
  const reader = await rig.client('r');
  assert.equal((await subscribe(reader, 't', { start: 'first' }, 0)).codes, [0]);
  const seen = await hold(reader, 3);
  assert.equal(
    seen.map((packet) => [textOf(packet), packet.qos]),
    range(0, 3).map((text) => [text, 0]),
  );
  await publish(publisher, 't', ['3']);
  publisher.publish('t', '4');
  assert.equal((await hold(reader, 2)).map(textOf), ['3', '4']);
  assert.equal(await rest(reader), []);
});

test('a window of one is enough for it', async () => {
  const publisher = await rig.client('p');
  await publish(publisher, 't', range(0, 20));
  const reader = await rig.client('r', { properties: { receiveMaximum: 1 } });
  await subscribe(reader, 'u');
  await subscribe(reader, 't', { start: 'first' });
  await hold(reader, 1).then(([first]) => reader.send({ cmd: 'puback', messageId: first?.messageId ?? 0 }));
  await publish(publisher, 'u', range(0, 3));
  const texts = (await receive(reader, 22)).map(({ topic }) => topic);
  assert.is(texts.filter((topic) => topic === 'u').length, 3);
});

test('a durable session goes on where its replay was, and what was in flight is sent again with its position', async () => {
  const publisher = await rig.client('p');
  await publish(publisher, 't', range(0, 5));
  const first = await rig.client('s', { clean: false, properties: { sessionExpiryInterval: 600, receiveMaximum: 2 } });
  await subscribe(first, 't', { start: 'first' });
  await receive(first, 1);
  const held = await hold(first, 2);
  first.destroy();
  await first.end();
  await publish(publisher, 't', range(5, 8));
  const again = await rig.client('s', lasting);
  assert.ok(again.connack.sessionPresent);
  const repeated = await receive(again, 2);
  assert.equal(
    repeated.map((packet) => [textOf(packet), packet.messageId, packet.dup, propertyOf(packet, 'position')]),
    held.map((packet) => [textOf(packet), packet.messageId, true, propertyOf(packet, 'position')]),
  );
  const more = await receive(again, 5);
  assert.equal(more.map(textOf), range(3, 8));
  for (const packet of more) assert.match(String(propertyOf(packet, 'position')), /^0-/);
  assert.equal(await rest(again), []);
});

test('a message in flight by a replay and by a usual subscription is sent again for both', async () => {
  await publish(await rig.client('p'), 't', ['before']);
  const first = await rig.client('s', lasting);
  await subscribe(first, '+');
  await subscribe(first, 't', { start: 'new' });
  await publish(await rig.client('q'), 't', ['both']);
  const held = await hold(first, 2);
  first.destroy();
  await first.end();
  const repeated = await receive(await rig.client('s', lasting), 2);
  for (const packets of [held, repeated]) {
    assert.is(packets.filter((packet) => propertyOf(packet, 'position') !== undefined).length, 1);
    assert.equal(packets.map(textOf), ['both', 'both']);
  }
});

test('retained messages are not sent with a start, except with new', async () => {
  const publisher = await rig.client('p');
  publisher.publish('r', 'kept', { qos: 1, messageId: 1, retain: true });
  await publisher.expect('puback');
  const reader = await rig.client('r');
  await subscribe(reader, 'r', { start: 'first' });
  assert.equal(
    (await receive(reader, 1)).map(({ retain }) => retain),
    [false],
  );
  assert.equal(await rest(reader), []);
  await subscribe(reader, 'r', { start: 'new' });
  assert.equal(
    (await receive(reader, 1)).map(({ retain }) => retain),
    [true],
  );
});

test('UNSUBSCRIBE ends it', async () => {
  const publisher = await rig.client('p');
  await publish(publisher, 't', ['0']);
  const reader = await rig.client('r');
  await subscribe(reader, 't', { start: 'first' });
  await receive(reader, 1);
  reader.send({ cmd: 'unsubscribe', messageId: 7, unsubscriptions: ['t'] });
  assert.equal((await reader.expect('unsuback')).granted, [0]);
  await publish(publisher, 't', ['1']);
  assert.equal(await rest(reader), []);
});

test('a session has a bound of them, and says so', async () => {
  const reader = await rig.client('r');
  const filters = Array.from({ length: 33 }, (_, i) => `t/${i}`);
  const { codes, reason } = await subscribe(reader, filters, { start: 'first' });
  assert.equal(codes, [...Array(32).fill(1), 0x97]);
  assert.match(reason, /^t\/32: there are 32 subscriptions with start or positions already/);
});

test.run();
