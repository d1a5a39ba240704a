import { suite } from 'uvu';
import type { JetStreamOptions } from '../../../adapters/jetstream/index.ts';
import { jetStreamOptions } from '../../support/jetstream.ts';
import { NatsServer } from '../../support/nats-server.ts';
import { findTool, requireTool } from '../../support/tools.ts';

/** A contract on one server for all its tests; `fresh` gives each of them streams of its own. */
export async function onNatsServer(title: string, contract: (fresh: () => JetStreamOptions) => void): Promise<void> {
  const program = findTool('nats-server');
  const own = suite(`${title} server`);
  if (program === undefined) {
    requireTool(own, 'nats-server', 'the contract', () => {});
  } else {
    const server = await NatsServer.start(program);
    let made = 0;
    contract(() => jetStreamOptions(server, { prefix: `c${++made}` }));
    // Suites run one after the other.
    own('ends', () => server.remove());
  }
  own.run();
}
