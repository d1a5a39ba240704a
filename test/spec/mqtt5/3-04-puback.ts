import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  answer,
  type Bytes,
  field,
  join,
  NONE,
  packet,
  publish,
  section,
  subscribe,
  u16,
  u32,
} from '../../support/mqtt-bytes.ts';
import { Bench } from './support/bench.ts';
import { type Peer, TCP, TCP_SPLIT, WAYS } from './support/peer.ts';
import { propertyOf, type Received } from './support/strict.ts';

/** MQTT 5.0, 3.4 to 3.7: PUBACK, PUBREC, PUBREL, PUBCOMP. The exchanges that they are steps of are in chapter 4. */

const test = suite('mqtt5/3.4 puback to 3.7 pubcomp');
const bench = new Bench();
test.before(() => bench.start());
test.after(() => bench.stop());
test.after.each(() => bench.leave());

const ANSWERS = [
  { type: 4, name: 'PUBACK', clause: '[MQTT-3.4.2-1]', reasons: [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99] },
  { type: 5, name: 'PUBREC', clause: '[MQTT-3.5.2-1]', reasons: [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99] },
  { type: 6, name: 'PUBREL', clause: '[MQTT-3.6.2-1]', reasons: [0, 0x92] },
  { type: 7, name: 'PUBCOMP', clause: '[MQTT-3.7.2-1]', reasons: [0, 0x92] },
] as const;

/** A client to which a message was sent that it has to answer with this type, and its identifier. */
async function owing(type: 4 | 5 | 6 | 7): Promise<{ peer: Peer; id: number }> {
  const peer = await bench.connect();
  if (type === 6) {
    await peer.send(publish('owed', 'x', { qos: 2, id: 5 }));
    return { peer, id: (await peer.expect(5)).id };
  }
  const publisher = await bench.connect();
  await peer.send(subscribe(1, [['owed', 2]]));
  await peer.expect(9);
  await publisher.send(publish('owed', 'x', { qos: type === 4 ? 1 : 2 }));
  const { id } = await peer.expect(3);
  if (type === 7) {
    await peer.send(answer(5, id));
    await peer.expect(6);
  }
  return { peer, id };
}

/** The next step of the exchange, where there is one. */
const NEXT = { 4: [], 5: [6], 6: [7], 7: [] };

for (const { type, name, clause, reasons } of ANSWERS) {
  test(`${clause} ${name} with each of its reasons is taken`, async () => {
    for (const reason of reasons) {
      const { peer, id } = await owing(type);
      await peer.send(answer(type, id, [reason]));
      const expected = type === 5 && reason >= 0x80 ? [] : NEXT[type];
      const packets = expected.length > 0 ? [await peer.next()] : [];
      assert.equal(
        [...packets, ...(await peer.flush())].map((each) => [each.type, each.id]),
        expected.map((each) => [each, id]),
        `${reason}`,
      );
      // It is settled: the same again finds nothing.
      if (type === 5 && reason >= 0x80) assert.equal(await again(peer, type, id), [[6, 0x92]]);
      if (type === 6) assert.equal(await again(peer, type, id), [[7, 0x92]]);
    }
  });

  test(`${clause} ${name} with any other reason is a protocol error`, async () => {
    const others = Array.from({ length: 256 }, (_, reason) => reason).filter(
      (reason) => !reasons.some((each) => each === reason),
    );
    for (const reason of others) assert.is(await bench.fault(answer(type, 9, [reason])), 0x82, `${reason}`);
    for (const reason of [1, 0x11, 0x93, 0xff])
      assert.is(await bench.fault(answer(type, 9, [reason], NONE), TCP_SPLIT), 0x82);
  });

  for (const way of WAYS) {
    test(`3.${type}.2.1 ${name}: reason and properties may be left out, ${way.name}`, async () => {
      const properties = section([0x1f], field('why'), [0x26], field('n'), field('v'), [0x26], field('n'), field('w'));
      for (const rest of [[], [[0]], [[0], NONE], [[0], properties]] as readonly Bytes[][]) {
        const peer = await bench.connect({}, way);
        await peer.send(publish('forms', 'x', { qos: 2, id: 5 }));
        await peer.expect(5);
        await peer.send(answer(type, 5, ...rest));
        // None of the server's has this identifier; the client's own is released.
        const expected = { 4: [], 5: [[6, 0x92]], 6: [[7, 0]], 7: [] }[type];
        const packets = expected.length > 0 ? [await peer.next()] : [];
        assert.equal([...packets, ...(await peer.flush())].map(codes), expected, JSON.stringify(rest));
        peer.destroy();
      }
    });
  }

  test(`3.${type}.2 ${name} without an identifier, or half of one, is malformed`, async () => {
    const first = (type << 4) | (type === 6 ? 2 : 0);
    for (const way of [TCP, TCP_SPLIT]) {
      assert.is(await bench.fault(packet(first), way), 0x81);
      assert.is(await bench.fault(packet(first, [1]), way), 0x81);
    }
  });
}

const codes = ({ type, reasons }: Received): (number | undefined)[] => [type, reasons[0]];

async function again(peer: Peer, type: 4 | 5 | 6 | 7, id: number): Promise<(number | undefined)[][]> {
  await peer.send(answer(type, id));
  return [codes(await peer.next())];
}

test('PUBACK and PUBCOMP for what is not in flight are let be; PUBREC and PUBREL are answered with 0x92', async () => {
  const peer = await bench.connect();
  await peer.send(answer(4, 77), answer(7, 77), answer(5, 77, [0x80]));
  assert.equal(await peer.flush(), []);
  await peer.send(answer(5, 77));
  assert.equal(codes(await peer.expect(6)), [6, 0x92]);
  await peer.send(answer(6, 77));
  assert.equal(codes(await peer.expect(7)), [7, 0x92]);
});

test('[MQTT-3.6.1-1] PUBREL with other flags is malformed', async () => {
  for (let flags = 0; flags < 16; flags++)
    if (flags !== 2) assert.is(await bench.fault(packet(0x60 | flags, u16(1))), 0x81, `${flags}`);
});

/** A refusal of the server's that has a reason string, to a client that takes so many bytes. */
async function refusals(bytes: number): Promise<Received[]> {
  const peer = await bench.connect({ clientId: 'small', properties: section([0x27], u32(bytes)) });
  await peer.send(publish('$SYS/x', '', { qos: 1, id: 1 }), publish('$SYS/x', '', { qos: 2, id: 2 }));
  return [await peer.expect(4), await peer.expect(5)];
}

test('[MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2] [MQTT-3.7.2-3] no larger than the client takes', async () => {
  for (const each of await refusals(20)) {
    assert.ok(each.bytes <= 20, `${each.bytes}`);
    assert.is(propertyOf(each, 0x1f), undefined);
  }
  for (const each of await refusals(2000)) assert.type(propertyOf(each, 0x1f), 'string');
  const peer = await bench.connect({ clientId: 'small', properties: section([0x27], u32(20)) });
  await peer.send(answer(5, 77), answer(6, 77));
  for (const each of [await peer.next(), await peer.next()]) assert.ok(each.bytes <= 20);
});

test('reason strings and user properties of the client’s answers go no further', async () => {
  const { peer, id } = await owing(4);
  await peer.send(answer(4, id, [0x80], section([0x1f], field('refused'), join([0x26], field('a'), field('b')))));
  assert.equal(await peer.flush(), []);
});

test.run();
