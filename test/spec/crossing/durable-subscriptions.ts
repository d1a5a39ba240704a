import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RawStomp } from '../../support/stomp-client.ts';
import { findTool, requireTool } from '../../support/tools.ts';
import { type Nodes, oneInMemory, twoOnNats } from './support/scene.ts';

/** Durable subscriptions of STOMP in RabbitMQ's form, whose connections may be to any node. */

const DURABLE = { id: 'd', destination: '/topic/news.#', durable: 'true', 'auto-delete': 'false' };
const NAMED = { id: 'd', destination: '/topic/named.#', 'activemq.subscriptionName': 'reader' };

function durableSubscriptions(title: string, start: () => Promise<Nodes>): void {
  const test = suite(title);
  const running: { nodes?: Nodes } = {};
  const clients: RawStomp[] = [];

  async function connect(node: 0 | 1, login: Record<string, string> = {}): Promise<RawStomp> {
    const nodes = running.nodes?.nodes ?? [];
    const at = nodes[node % nodes.length];
    if (at === undefined) throw new Error('there is no node');
    const client = await RawStomp.connect(at.stomp, login);
    clients.push(client);
    return client;
  }

  async function done(client: RawStomp, command: string, headers: Record<string, string>): Promise<void> {
    client.send(command, { ...headers, receipt: command });
    await client.expect('RECEIPT');
  }

  test.before(async () => {
    running.nodes = await start();
  });
  test.after(() => running.nodes?.stop());
  test.after.each(() => {
    for (const client of clients.splice(0)) client.destroy();
  });

  for (const [headers, login, destination] of [
    [DURABLE, {}, '/topic/news.a'],
    [NAMED, { 'client-id': 'me' }, '/topic/named.a'],
    [{ ...DURABLE, destination: '/exchange/amq.fanout/k' }, {}, '/exchange/amq.fanout/any'],
  ] as const) {
    test(`${headers.destination}: what is sent on one node without persistent is kept for a subscription made on the other`, async () => {
      const first = await connect(1, login);
      await done(first, 'SUBSCRIBE', headers);
      await done(first, 'DISCONNECT', {});
      await sleep(running.nodes?.settleMilliseconds ?? 0);
      const sender = await connect(0);
      sender.send('SEND', { destination }, 'kept');
      await sender.flush();
      const again = await connect(1, login);
      again.send('SUBSCRIBE', headers);
      assert.is(`${(await again.expect('MESSAGE')).body}`, 'kept');
      await done(again, 'DISCONNECT', {});
    });
  }

  test('connections to both nodes share one, and either ends it for good', async () => {
    const [here, there] = [await connect(0), await connect(1)];
    await done(here, 'SUBSCRIBE', DURABLE);
    await done(there, 'SUBSCRIBE', DURABLE);
    for (let i = 0; i < 10; i++) here.send('SEND', { destination: '/topic/news.b', persistent: 'true' }, `${i}`);
    const bodies: string[] = [];
    const collect = async (client: RawStomp): Promise<void> => {
      while (bodies.length < 10) bodies.push(`${(await client.expect('MESSAGE')).body}`);
    };
    // One of them waits for more in vain.
    await Promise.race([collect(here), collect(there)]);
    assert.equal(bodies.sort(), ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    here.destroy();
    there.destroy();
    const sender = await connect(0);
    await done(sender, 'SEND', { destination: '/topic/news.b' });
    const other = await connect(1);
    await done(other, 'UNSUBSCRIBE', { id: 'd', destination: '/topic/news.#', durable: 'true' });
    await done(other, 'SUBSCRIBE', DURABLE);
    await done(sender, 'SEND', { destination: '/topic/news.after' });
    assert.match((await other.expect('MESSAGE')).headers.join(), 'news.after');
  });

  test.run();
}

durableSubscriptions('durable subscriptions on one node', oneInMemory);
const program = findTool('nats-server');
if (program === undefined) {
  const test = suite('durable subscriptions between nodes');
  requireTool(test, 'nats-server', 'durable subscriptions, between two gateways', () => {});
  test.run();
} else {
  durableSubscriptions('durable subscriptions between nodes', () => twoOnNats(program));
}
