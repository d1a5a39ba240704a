import { headers } from 'nats';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import { messageOf, textOf } from '../../support/nats-node.ts';
import { scenes } from './support/scene.ts';

/** Two nodes on one server, and applications of NATS beside them. */

const test = suite('jetstream nodes');
const it = scenes(test, 'n');
const LEASE = { leaseSeconds: 2 };

it('a live message comes to other nodes that want it, once, however many filters match', async ({ start }) => {
  const [a, b] = await start(2, LEASE);
  assert.ok(a && b);
  for (const filter of ['x/#', 'x/+', 'x/y', '#']) b.backbone.live.interest(filter, true);
  a.backbone.live.interest('x/y', true);
  await a.backbone.state.put('wills', 'fence', Buffer.alloc(0));
  await eventually('the subscriptions', async () => {
    a.backbone.live.publish(messageOf('probe', ''), []);
    return b.lived.length > 0;
  });
  b.lived.length = 0;
  const properties = { user: [['Nats-Msg-Id', 'x\r\ny']] as const, contentType: 't' };
  a.backbone.live.publish(messageOf('x/y', '1', 0, properties), []);
  a.backbone.live.publish(messageOf('x', '2', 0), []);
  await eventually('both', () => b.lived.filter(({ topic }) => topic !== 'probe').length >= 2);
  const got = b.lived.filter(({ topic }) => topic !== 'probe');
  assert.equal(got.map(textOf), ['1', '2']);
  assert.equal(got[0]?.properties, properties);
  assert.equal(got[0]?.publisher, { clientId: 'c', protocol: 'mqtt' });
  assert.equal(a.lived, [], 'not to itself');

  b.backbone.live.interest('#', false);
  b.backbone.live.interest('x/#', false);
  b.backbone.live.interest('x/+', false);
  b.lived.length = 0;
  await eventually('what is still wanted', () => {
    a.backbone.live.publish(messageOf('other', 'no', 0), []);
    a.backbone.live.publish(messageOf('x/y', 'yes', 0), []);
    return b.lived.some((each) => textOf(each) === 'yes');
  });
  b.backbone.live.interest('x/y', false);
});

it('both nodes have the tail in the same order, whoever appends', async ({ start }) => {
  const [a, b] = await start(2, LEASE);
  assert.ok(a && b);
  for (let i = 0; i < 500; i++) {
    a.append(`t/${i % 3}`, `a${i}`);
    b.append(`t/${i % 3}`, `b${i}`);
  }
  await eventually('all', () => a.tailed.length === 1000 && b.tailed.length === 1000);
  assert.equal(a.tailed.map(textOf), b.tailed.map(textOf));
  assert.equal(
    a.tailed.map(({ sequence }) => sequence),
    b.tailed.map(({ sequence }) => sequence),
  );
  assert.equal(
    a.tailed.map(textOf).filter((text) => text.startsWith('a')),
    Array.from({ length: 500 }, (_, i) => `a${i}`),
  );
  await eventually('the acknowledgements', () => a.appended.length === 500 && b.appended.length === 500);
  assert.equal((await b.readAll()).map(textOf), a.tailed.map(textOf));
});

it('an id that one node has used is known to the other', async ({ start }) => {
  const [a, b] = await start(2, LEASE);
  assert.ok(a && b);
  a.append('t', 'first', 'ид');
  await eventually('the first', () => a.appended.length === 1);
  b.append('t', 'second', 'ид');
  await eventually('the second', () => b.appended.length === 1);
  assert.equal(b.tailed.map(textOf), ['first']);
});

it('changes of the state come to every node, in order', async ({ start }) => {
  const [a, b] = await start(2, LEASE);
  assert.ok(a && b);
  const seen: string[] = [];
  assert.ok(
    b.backbone.state.watch('retained', (key, entry, revision) => {
      seen.push(`${key} ${entry === undefined ? 'removed' : Buffer.from(entry.value).toString()} ${revision > 0}`);
    }),
  );
  await a.backbone.state.put('retained', 'k/ä', Buffer.from('1'));
  await b.backbone.state.put('retained', 'k/ä', Buffer.from('2'));
  await a.backbone.state.put('sessions', 'other', Buffer.from('2'));
  await a.backbone.state.remove('retained', 'k/ä');
  await eventually('three changes', () => seen.length >= 3);
  assert.equal(seen, ['k/ä 1 true', 'k/ä 2 true', 'k/ä removed true']);
});

it('a client goes from node to node; who has it is asked to yield', async ({ start }) => {
  const [a, b] = await start(2, LEASE);
  assert.ok(a && b);
  await a.backbone.cluster.claim('c');
  await a.backbone.cluster.claim('c');
  assert.equal(b.yielded, []);
  await b.backbone.cluster.claim('c');
  assert.equal(a.yielded, ['c']);
  a.backbone.cluster.release('c');
  await a.backbone.cluster.claim('c');
  assert.equal(b.yielded, ['c']);
  a.backbone.cluster.release('c');
  await b.backbone.cluster.claim('c');
  assert.equal(a.yielded, ['c'], 'what was released needs no yielding');
});

it('claims of the same client at the same time end with one owner, each other one having yielded', async ({
  start,
}) => {
  const [a, b] = await start(2, LEASE);
  assert.ok(a && b);
  for (let round = 0; round < 20; round++) {
    a.yielded.length = 0;
    b.yielded.length = 0;
    await Promise.all([a.backbone.cluster.claim(`c${round}`), b.backbone.cluster.claim(`c${round}`)]);
    assert.is(a.yielded.length + b.yielded.length, 1);
  }
});

it('a node that ends is gone for the others at once', async ({ start }) => {
  const [a, b] = await start(2, { leaseSeconds: 300 });
  assert.ok(a && b);
  const { node } = b.backbone.cluster;
  await eventually('it is known', () => a.backbone.cluster.alive(node));
  await b.backbone.cluster.claim('c');
  await b.backbone.stop();
  await eventually('it is gone', () => a.lost.length > 0);
  assert.equal(a.lost, [node]);
  assert.not.ok(a.backbone.cluster.alive(node));
  await a.backbone.cluster.claim('c');
  assert.equal(b.yielded, []);
});

it("a native application's messages come in as messages, and the broker's go out as documented", async ({
  connect,
  prefix,
  start,
}) => {
  const [node] = await start(1, LEASE);
  assert.ok(node);
  const nats = await connect();
  const out: string[] = [];
  nats.subscribe(`${prefix}.live.>`, {
    callback: (_, message) => out.push(`${message.subject} ${message.string()} ${message.headers?.get('Trimaran')}`),
  });
  await nats.flush();
  node.backbone.live.interest('home/+', true);
  await node.backbone.state.put('wills', 'fence', Buffer.alloc(0));
  const own = headers();
  own.append('Unit', 'C');
  own.append('Unit', 'F');
  nats.publish(`${prefix}.log.home.a%20b`, 'logged', { headers: own });
  nats.publish(`${prefix}.log.ä`, 'no topic');
  nats.publish(`${prefix}.live.home.x`, 'live');
  await eventually('both', () => node.tailed.length === 1 && node.lived.length === 1);
  const [logged] = node.tailed;
  assert.is(logged?.topic, 'home/a b');
  assert.is(logged?.qos, 1);
  assert.equal(logged?.publisher, { clientId: '', protocol: 'native' });
  assert.equal(logged?.properties?.user, [
    ['Unit', 'C'],
    ['Unit', 'F'],
  ]);
  assert.is(node.lived[0]?.qos, 0);
  assert.ok(Math.abs((logged?.timestamp ?? 0) - Date.now()) < 60_000);
  assert.equal((await node.readAll(['home/#'])).map(textOf), ['logged']);
  node.backbone.live.publish(messageOf('home/y', 'out', 0), []);
  await eventually('it is out', () => out.length >= 2);
  assert.is(out[1], `${prefix}.live.home.y out - m0 c`);
});

it('with more filters than are asked for one by one, what matches is read all the same', async ({ start }) => {
  const [node] = await start(1, LEASE);
  assert.ok(node);
  for (let i = 0; i < 3000; i++) node.append(`t/${i % 100}`, `${i}`);
  await eventually('all', () => node.appended.length === 3000);
  const filters = Array.from({ length: 12 }, (_, i) => `t/${i}`);
  const read = (await node.readAll(filters)).map(textOf);
  assert.equal(
    read,
    Array.from({ length: 3000 }, (_, i) => i)
      .filter((i) => i % 100 < 12)
      .map(String),
  );
});

it('a removed entry leaves nothing behind in the stream but a mark that goes', async ({ connect, prefix, start }) => {
  const [node] = await start(1, LEASE);
  assert.ok(node);
  const { state } = node.backbone;
  for (let i = 0; i < 20; i++) await state.put('sessions', 'k', Buffer.from(`${i}`));
  await state.remove('sessions', 'k');
  const nats = await connect();
  const request = JSON.stringify({ last_by_subj: `${prefix}.state.sessions.k` });
  const answer = await nats.request(`$JS.API.STREAM.MSG.GET.${prefix}_STATE`, request);
  const stored: { message: { hdrs: string; data?: string } } = answer.json();
  assert.match(Buffer.from(stored.message.hdrs, 'base64').toString(), /Nats-TTL: 3600s/);
  assert.is(stored.message.data, undefined);
  const info: { state: { messages: number } } = (await nats.request(`$JS.API.STREAM.INFO.${prefix}_STATE`)).json();
  assert.is(info.state.messages, 2, 'the mark, and the entry of this node');
});

it('a message that is larger than NATS takes is refused, and one without a way', async ({ start }) => {
  const [node] = await start(1, LEASE);
  assert.ok(node);
  node.append('t', 'x'.repeat(1024 * 1024));
  node.append('t', 'x'.repeat(1024 * 1024 - 20));
  node.append('ä'.repeat(1000), 'x');
  node.append('t', 'fits');
  await eventually('all', () => node.appended.length + node.refused.length === 4);
  assert.equal(node.appended, ['fits']);
  assert.equal(
    node.refused.map((each) => each.split(':')[0]),
    ['tooLarge', 'tooLarge', 'topicInvalid'],
  );
});

test.run();
