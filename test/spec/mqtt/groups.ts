import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import { hold, propertyOf, publish, Rig, range, receive, subscribe, textOf } from './support/rig.ts';

/** What `$share/GROUP/FILTER` is beyond MQTT 5.0, 4.8.2 (`shared.ts`): order by key, where it begins, what is refused. */

const test = suite('mqtt/groups');
const rig = new Rig();
test.before.each(() => rig.start());
test.after.each(() => rig.stop());

test('start=first: a new group begins with the first message kept; one that is there goes on', async () => {
  await publish(await rig.client('p'), 't', range(0, 3));
  const first = await rig.client('a');
  assert.equal((await subscribe(first, '$share/g/t', { start: 'first' })).codes, [1]);
  assert.equal((await receive(first, 3)).map(textOf), range(0, 3));
  const second = await rig.client('b');
  await subscribe(second, '$share/g/t', { start: 'first' });
  assert.equal(await second.flush(), []);
});

test('group-order=key: the messages of a key stay with one member, in order', async () => {
  const members = [await rig.client('a'), await rig.client('b')];
  for (const member of members) {
    assert.equal((await subscribe(member, '$share/g/t', { 'group-order': 'key' })).codes, [1]);
  }
  const publisher = await rig.client('p');
  for (const i of range(0, 5)) for (const key of range(0, 8)) await publish(publisher, 't', [i], { key });
  const owners = new Map<string, number>();
  const seen = new Map<string, string[]>();
  await eventually('all have come', async () => {
    for (const [owner, member] of members.entries()) {
      for (const packet of await member.flush()) {
        if (packet.cmd !== 'publish') continue;
        const key = String(propertyOf(packet, 'key'));
        assert.is(owners.get(key) ?? owner, owner, `key ${key}`);
        owners.set(key, owner);
        seen.set(key, [...(seen.get(key) ?? []), textOf(packet)]);
        member.send({ cmd: 'puback', messageId: packet.messageId ?? 0 });
      }
    }
    return [...seen.values()].flat().length === 40;
  });
  for (const [key, texts] of seen) assert.equal(texts, range(0, 5), `key ${key}`);
});

test('a member that wants another order is refused', async () => {
  await subscribe(await rig.client('a'), '$share/g/t', { 'group-order': 'key' });
  const { codes, reason } = await subscribe(await rig.client('b'), '$share/g/t');
  assert.equal(codes, [0x83]);
  assert.match(reason, /order/);
});

test('prefetch bounds what is with a member', async () => {
  const member = await rig.client('a');
  await subscribe(member, '$share/g/t', { prefetch: '2' });
  await publish(await rig.client('p'), 't', range(0, 3));
  await hold(member, 2);
  assert.equal(await member.flush(), []);
});

test('what a lost member had comes to another, marked as redelivered', async () => {
  const lost = await rig.client('lost');
  await subscribe(lost, '$share/g/t');
  await publish(await rig.client('p'), 't', ['x']);
  await hold(lost, 1);
  const other = await rig.client('other');
  await subscribe(other, '$share/g/t');
  lost.destroy();
  const [message] = await receive(other, 1);
  assert.is(message && propertyOf(message, 'redelivered'), 'true');
});

test('[MQTT-4.8.2-6] what a member refuses nobody else gets, unless it asks for that with requeue=true', async () => {
  const member = await rig.client('a');
  await subscribe(member, '$share/g/t');
  const publisher = await rig.client('p');
  await publish(publisher, 't', ['dropped']);
  await receive(member, 1, { reasonCode: 0x80 });
  await publish(publisher, 't', ['again']);
  await receive(member, 1, { reasonCode: 0x80, properties: { userProperties: { requeue: 'true' } } });
  const [again] = await receive(member, 1);
  assert.equal([again && textOf(again), again && propertyOf(again, 'redelivered')], ['again', 'true']);
  assert.equal(await member.flush(), []);
});

test.run();
