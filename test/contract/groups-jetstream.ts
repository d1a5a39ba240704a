import { JetStreamBackbone, type JetStreamOptions } from '../../adapters/jetstream/index.ts';
import { SystemClock } from '../../src/system-clock.ts';
import { logger } from '../support/jetstream.ts';
import { groupsContract } from './groups.ts';
import { onNatsServer } from './support/nats.ts';

await onNatsServer('contract/groups jetstream', (fresh) => {
  let options: JetStreamOptions;
  const open = (): JetStreamBackbone => new JetStreamBackbone(options, new SystemClock(), logger());
  groupsContract({
    name: 'jetstream',
    create: () => {
      options = fresh();
      return open();
    },
    reopen: open,
  });
});
