import type { JetStreamOptions } from '../../adapters/jetstream/index.ts';
import type { QueueStores } from '../../src/ports/queue-store.ts';
import { NatsNode } from '../support/nats-node.ts';
import { queuesContract } from './queues.ts';
import { onNatsServer } from './support/nats.ts';

await onNatsServer('contract/queues jetstream', (fresh) => {
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
      options = fresh();
      return start();
    },
    async restart() {
      await end();
      return start();
    },
    end,
  });
});
