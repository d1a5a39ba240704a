import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startBroker } from '../../support/broker.ts';
import { eventually } from '../../support/eventually.ts';
import { header, RawStomp } from '../../support/stomp-client.ts';
import { failNext } from './support/faulty-writes.ts';
import { newDirectory } from './support/opened.ts';

/** A COMMIT of STOMP whose write fails: nothing of it is there, and what it acknowledged comes again. */

const test = suite('spec/embedded transactions');

const OWNER = { 'client-id': 'owner' };
const DURABLE = { id: 'd', destination: '/topic/in', 'activemq.subscriptionName': 'd', ack: 'client' };
const QUEUE = { id: 'q', destination: '/queue/in', ack: 'client' };

for (const fault of ['gone', 'there'] as const) {
  for (const receipt of [true, false]) {
    const how = `${receipt ? 'with' : 'without'} a receipt`;
    test(`STOMP 1.2, COMMIT, ${how}: its write fails (${fault})`, async () => {
      const { broker, stomp } = await startBroker(
        { backbone: { type: 'embedded', embedded: { directory: newDirectory() } } },
        { logger: { debug() {}, info() {}, warn() {}, error() {} } },
      );
      try {
        const client = await RawStomp.connect(stomp, OWNER);
        const send = async (command: string, headers: Record<string, string>, body = ''): Promise<void> => {
          client.send(command, { ...headers, receipt: 'r' }, body);
          while ((await client.next()).command !== 'RECEIPT');
        };
        // They are there, so that nothing but the COMMIT is in its write.
        for (const destination of ['/queue/out', '/queue/in']) await send('SEND', { destination }, 'before');
        client.send('SUBSCRIBE', QUEUE);
        const before = await client.expect('MESSAGE');
        await send('ACK', { id: header(before, 'ack') ?? '' });
        await send('SUBSCRIBE', DURABLE);
        const acks: string[] = [];
        for (const destination of ['/queue/in', '/topic/in']) {
          client.send('SEND', { destination, persistent: 'true' }, 'x');
          acks.push(header(await client.expect('MESSAGE'), 'ack') ?? '');
        }
        await send('BEGIN', { transaction: 't' });
        for (const destination of ['/queue/out', '/topic/out'])
          client.send('SEND', { destination, transaction: 't', persistent: 'true' }, 'answer');
        for (const id of acks) client.send('ACK', { id, transaction: 't' });
        await client.flush();
        // What is written by and by is written.
        await new Promise((resolve) => setTimeout(resolve, 700));
        failNext(fault);
        client.send('COMMIT', receipt ? { transaction: 't', receipt: 'commit' } : { transaction: 't' });
        const error = await client.expect('ERROR');
        assert.is(header(error, 'receipt-id'), receipt ? 'commit' : undefined);
        assert.match(`${error.body}`, 'the store is full or its disk fails');
        await client.end();

        const next = await eventually('it takes messages again', async () => {
          const again = await RawStomp.connect(stomp, OWNER);
          again.send('SEND', { destination: '/topic/test', receipt: 'test' });
          return (await again.next()).command === 'RECEIPT' ? again : undefined;
        });
        for (const subscription of [QUEUE, DURABLE]) {
          next.send('SUBSCRIBE', subscription);
          const message = await next.expect('MESSAGE');
          assert.is(`${message.body} ${header(message, 'redelivered')}`, 'x true', subscription.destination);
        }
        next.send('SUBSCRIBE', { id: 'o', destination: '/queue/out' });
        assert.is(`${(await next.expect('MESSAGE')).body}`, 'before');
        next.send('SUBSCRIBE', { id: 'l', destination: '/topic/out', start: 'first' });
        assert.equal(await next.flush(), [], 'no answer in the queue, and none in the log');
        next.destroy();
      } finally {
        await broker.stop();
      }
    });
  }
}

test.run();
