import { suite } from 'uvu';
import type { JetStreamOptions } from '../../adapters/jetstream/index.ts';
import type { QueueStores } from '../../src/ports/queue-store.ts';
import { jetStreamOptions } from '../support/jetstream.ts';
import { NatsNode } from '../support/nats-node.ts';
import { NatsServer } from '../support/nats-server.ts';
import { findTool, requireTool } from '../support/tools.ts';
import { queuesContract } from './queues.ts';

/** One server for all tests; every test has streams of its own. */
const program = findTool('nats-server');
const own = suite('contract/queues jetstream server');
if (program === undefined) {
  requireTool(own, 'nats-server', 'the contract', () => {});
} else {
  const server = await NatsServer.start(program);
  let made = 0;
  let options: JetStreamOptions;
  let node: NatsNode | undefined;
  /** Without closing its queues. */
  const end = async (): Promise<void> => {
    await node?.backbone.stop();
    node = undefined;
  };
  const start = async (): Promise<QueueStores> => {
    node = await NatsNode.start(options);
    return node.backbone.queues;
  };
  queuesContract({
    name: 'jetstream',
    create: () => {
      options = jetStreamOptions(server, { prefix: `q${++made}` });
      return start();
    },
    async restart() {
      await end();
      return start();
    },
    end,
  });
  // Suites run one after the other.
  own('ends', () => server.remove());
}
own.run();
