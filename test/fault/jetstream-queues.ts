import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { QueueEntry, QueueReceiver, QueueStore } from '../../src/ports/queue-store.ts';
import { queued, textOf } from '../contract/support/held-queue.ts';
import { eventually } from '../support/eventually.ts';
import { jetStreamOptions } from '../support/jetstream.ts';
import { NatsNode } from '../support/nats-node.ts';
import { NatsServer } from '../support/nats-server.ts';
import { requireTool } from '../support/tools.ts';
import { leaderOf } from './support/leader.ts';

/** A queue with three copies, filled and emptied while the server that leads is killed, and while its owner goes. */

const test = suite('fault/jetstream-queues');
let servers: NatsServer[] = [];
const nodes: NatsNode[] = [];

test.after(async () => {
  for (const { backbone } of nodes) await backbone.stop();
  await Promise.all(servers.map((server) => server.remove()));
});

const COUNT = 6_000;
const WANTED = 50;

/** Takes all that comes, and removes it. */
class Worker implements QueueReceiver {
  /** How often each came, in the order of first coming. */
  readonly came = new Map<string, number>();
  store: QueueStore | undefined;

  static async start(node: NatsNode): Promise<Worker> {
    const worker = new Worker();
    worker.store = await node.backbone.queues.open('q', worker);
    worker.store.want(WANTED);
    return worker;
  }

  take(entries: readonly QueueEntry[]): void {
    for (const entry of entries) {
      this.came.set(textOf(entry), (this.came.get(textOf(entry)) ?? 0) + 1);
      this.store?.remove(entry.id);
    }
    this.store?.want(entries.length);
  }

  lost(): void {}
}

requireTool(
  test,
  'nats-server',
  'its leader killed, its owner ended: all that was acknowledged comes',
  async (program) => {
    servers = await NatsServer.cluster(program);
    const options = jetStreamOptions(servers, { replicas: 3 });
    const begun = async (): Promise<boolean> => {
      nodes.push(await NatsNode.start(options));
      return true;
    };
    // The cluster has to choose a leader before it can keep anything.
    await eventually('the first node', () => begun().catch(() => false), 20_000);
    await begun();
    const [a, b] = nodes;
    assert.ok(a && b);
    const first = await Worker.start(a);
    const { store } = first;
    assert.ok(store !== undefined);
    const appended = new Set<string>();
    const refused: string[] = [];
    const pushing = (async () => {
      for (let i = 0; i < COUNT; ) {
        for (let n = 0; n < 10; n++, i++) {
          const payload = `${i}`;
          store.push(
            queued(payload),
            { appended: () => appended.add(payload), refused: (_, error) => refused.push(error.message) },
            0,
          );
        }
        await sleep(2);
      }
    })();
    await eventually('some are there', () => appended.size > 500 && first.came.size > 500, 20_000);
    const led = await leaderOf('trimaran_QUEUE', servers);
    await servers[led]?.end('SIGKILL');
    await pushing;
    await eventually('all are acknowledged', () => appended.size + refused.length === COUNT, 40_000);
    assert.equal(refused, []);
    await eventually('all came', () => first.came.size === COUNT, 40_000);
    const twice = [...first.came.values()].filter((times) => times > 1).length;
    console.log(`${twice} of ${COUNT} came twice when the leader was killed`);
    await store.flushed();

    await store.close();
    const next = await Worker.start(b);
    // A replica that is behind still shows what is gone: it is counted again.
    await eventually('none is left', () => next.store?.messages === 0, 10_000);
    await sleep(500);
    assert.is(next.came.size, 0, 'what was removed does not come again');
  },
);

test.run();
