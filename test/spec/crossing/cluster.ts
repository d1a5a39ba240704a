import { suite } from 'uvu';
import { startBroker } from '../../support/broker.ts';
import { NatsServer } from '../../support/nats-server.ts';
import { findTool, requireTool } from '../../support/tools.ts';
import { crossings } from './support/crossings.ts';

/** The same with sender and receiver on two gateways of one NATS server. */

const program = findTool('nats-server');
if (program === undefined) {
  const test = suite('crossing nodes');
  requireTool(test, 'nats-server', 'each protocol to each, between two gateways', () => {});
  test.run();
} else {
  crossings('crossing nodes', async () => {
    const nats = await NatsServer.start(program);
    const config = { backbone: { type: 'nats', nats: { servers: [nats.url] } } } as const;
    const nodes = [await startBroker(config), await startBroker(config)];
    return {
      nodes,
      settleMilliseconds: 100,
      stop: async () => {
        for (const { broker } of nodes) await broker.stop();
        await nats.remove();
      },
    };
  });
}
