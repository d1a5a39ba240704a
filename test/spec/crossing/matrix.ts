import { startBroker } from '../../support/broker.ts';
import { crossings } from './support/crossings.ts';

crossings('crossing', async () => {
  const node = await startBroker();
  return { nodes: [node], settleMilliseconds: 0, stop: () => node.broker.stop() };
});
