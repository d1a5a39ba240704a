import { suite } from 'uvu';
import { JetStreamBackbone, type JetStreamOptions } from '../../adapters/jetstream/index.ts';
import { SystemClock } from '../../src/system-clock.ts';
import { jetStreamOptions, logger } from '../support/jetstream.ts';
import { NatsServer } from '../support/nats-server.ts';
import { findTool, requireTool } from '../support/tools.ts';
import { groupsContract } from './groups.ts';

/** One server for all tests; every test has streams of its own. */
const program = findTool('nats-server');
const own = suite('contract/groups jetstream server');
if (program === undefined) {
  requireTool(own, 'nats-server', 'the contract', () => {});
} else {
  const server = await NatsServer.start(program);
  let made = 0;
  let options: JetStreamOptions;
  const open = (): JetStreamBackbone => new JetStreamBackbone(options, new SystemClock(), logger());
  groupsContract({
    name: 'jetstream',
    create() {
      options = jetStreamOptions(server, { prefix: `g${++made}` });
      return open();
    },
    reopen: open,
  });
  // Suites run one after the other.
  own('ends', () => server.remove());
}
own.run();
