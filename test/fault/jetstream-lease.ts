import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Child } from '../support/child.ts';
import { eventually } from '../support/eventually.ts';
import { jetStreamOptions } from '../support/jetstream.ts';
import { NatsNode } from '../support/nats-node.ts';
import { NatsServer } from '../support/nats-server.ts';
import { requireTool } from '../support/tools.ts';

/** A node that is killed or stands still, and NATS that is away, as the other nodes see it. */

const LEASE = 2;
const [, , role, url] = process.argv;

if (role === 'node' && url !== undefined) {
  const node = await NatsNode.start(jetStreamOptions([], { servers: [url], leaseSeconds: LEASE }));
  for (const clientId of ['c', 'd']) await node.backbone.cluster.claim(clientId);
  console.log(`node ${node.backbone.cluster.node}`);
  setInterval(() => {
    for (const clientId of node.yielded.splice(0)) console.log(`yielded ${clientId}`);
  }, 20);
} else {
  const test = suite('fault/jetstream-lease');
  let server: NatsServer | undefined;
  let node: NatsNode | undefined;
  let child: Child | undefined;

  test.after.each(async () => {
    child?.kill('SIGKILL');
    await child?.ended;
    await node?.backbone.stop();
    await server?.remove();
  });

  const it = (title: string, body: (local: NatsNode, other: Child, name: string) => Promise<void>): void =>
    requireTool(test, 'nats-server', title, async (program) => {
      server = await NatsServer.start(program);
      child = new Child(process.execPath, [import.meta.filename, 'node', server.url]);
      const [, name = ''] = await child.line(/^node (.+)$/);
      node = await NatsNode.start(jetStreamOptions(server, { leaseSeconds: LEASE }));
      assert.ok(node.backbone.cluster.alive(name));
      await body(node, child, name);
    });

  it('a killed node is lost within its lease and a little, once; its clients are free', async (local, other, name) => {
    await sleep(LEASE * 1000 + 500);
    assert.equal(local.lost, [], 'not while it lives');
    other.kill('SIGKILL');
    const began = performance.now();
    await eventually('it is lost', () => local.lost.length > 0, LEASE * 3000);
    assert.ok(performance.now() - began > LEASE * 500);
    assert.not.ok(local.backbone.cluster.alive(name));
    const claimed = performance.now();
    await local.backbone.cluster.claim('c');
    assert.ok(performance.now() - claimed < 500, 'at once');
    await sleep(LEASE * 1000);
    assert.equal(local.lost, [name]);
  });

  it('a node that stood still gives up the clients that others have taken', async (local, other, name) => {
    other.kill('SIGSTOP');
    await eventually('it is lost', () => local.lost.length > 0, LEASE * 3000);
    await local.backbone.cluster.claim('c');
    other.kill('SIGCONT');
    await other.line(/^yielded c$/);
    await eventually('it is back', () => local.backbone.cluster.alive(name));
    assert.not.match(other.stdout, /yielded d/);
    await local.backbone.cluster.claim('d');
    await other.line(/^yielded d$/);
    assert.equal(local.lost, [name]);
  });

  it('while NATS itself is away no one is lost', async (local, _other, name) => {
    await server?.end('SIGKILL');
    await sleep(LEASE * 2000);
    await server?.start();
    await eventually('ready', () => local.backbone.notReady() === undefined, 10_000);
    await sleep(LEASE * 2000);
    assert.equal(local.lost, []);
    assert.ok(local.backbone.cluster.alive(name));
  });

  test.run();
}
