import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../support/eventually.ts';
import { jetStreamOptions } from '../support/jetstream.ts';
import { NatsNode, textOf } from '../support/nats-node.ts';
import { NatsServer } from '../support/nats-server.ts';
import { requireTool } from '../support/tools.ts';
import { leaderOf } from './support/leader.ts';

/** Three servers that keep three copies; the one that leads is killed while two nodes append. */

const test = suite('fault/jetstream-cluster');
let servers: NatsServer[] = [];
const nodes: NatsNode[] = [];

test.after(async () => {
  for (const { backbone } of nodes) await backbone.stop();
  await Promise.all(servers.map((server) => server.remove()));
});

const COUNT = 10_000;

requireTool(test, 'nats-server', 'its leader killed: none lost, in order, every node has the same', async (program) => {
  servers = await NatsServer.cluster(program);
  const options = jetStreamOptions(servers, { replicas: 3 });
  // The cluster has to choose a leader before it can keep anything.
  await eventually(
    'the first node',
    () =>
      NatsNode.start(options).then(
        (node) => nodes.push(node),
        () => false,
      ),
    20_000,
  );
  nodes.push(await NatsNode.start(options));
  const [a, b] = nodes;
  assert.ok(a && b);
  const led = await leaderOf('trimaran_LOG', servers);
  const appending = (async () => {
    for (let i = 0; i < COUNT; ) {
      for (let n = 0; n < 10; n++, i++) {
        a.append(`t/${i % 7}`, `a${i}`);
        b.append(`t/${i % 7}`, `b${i}`);
      }
      await sleep(1);
    }
  })();
  await eventually('some are there', () => a.appended.length > 1000 && b.appended.length > 1000, 20_000);
  await servers[led]?.end('SIGKILL');
  const killed = performance.now();
  const had = a.appended.length;
  await eventually('it goes on', () => a.appended.length > had + 100, 28_000);
  console.log(`without acknowledgement for ${Math.round(performance.now() - killed)} ms`);
  await appending;
  const told = (node: NatsNode): number => node.appended.length + node.refused.length;
  await eventually('all are acknowledged', () => told(a) === COUNT && told(b) === COUNT, 30_000);
  assert.equal([...a.refused, ...b.refused], []);

  const read = (await a.readAll()).map(textOf);
  for (const name of ['a', 'b']) {
    const own = [...new Set(read.filter((text) => text.startsWith(name)))].map((text) => Number(text.slice(1)));
    assert.is(own.length, COUNT, `all of ${name}`);
    for (let topic = 0; topic < 7; topic++) {
      const of = own.filter((number) => number % 7 === topic);
      assert.equal(
        of,
        [...of].sort((x, y) => x - y),
        `those of ${name} in topic ${topic} are in order`,
      );
    }
  }
  const one = (await b.readAll(['t/3', 't/4'])).map(textOf);
  const wanted = read.filter((text) => [3, 4].includes(Number(text.slice(1)) % 7));
  assert.equal(one, wanted, 'read by filters');
  console.log(`${read.length - 2 * COUNT} of ${2 * COUNT} came twice`);
  await eventually('the same tail', () => a.tailed.length === b.tailed.length);
  assert.equal(a.tailed.map(textOf), b.tailed.map(textOf));

  // State and clients, on the two that are left.
  await a.backbone.state.put('sessions', 'k', Buffer.from('1'));
  assert.is(Buffer.from((await b.backbone.state.get('sessions', 'k'))?.value ?? []).toString(), '1');
  const races = await Promise.all(
    Array.from({ length: 10 }, (_, i) => nodes[i % 2]?.backbone.state.put('wills', 'race', Buffer.from(`${i}`), 0)),
  );
  assert.is(races.filter((revision) => revision !== undefined).length, 1);
  await a.backbone.cluster.claim('c');
  await b.backbone.cluster.claim('c');
  assert.equal(a.yielded, ['c']);
  assert.equal([...a.lost, ...b.lost], []);
});

test.run();
