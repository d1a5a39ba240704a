import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runs, tellSeed } from '../support/fuzz-runs.ts';
import { header, RawStomp } from '../support/stomp-client.ts';
import { Sender } from './support/stomp-sender.ts';
import { stream } from './support/stomp-streams.ts';
import { usedMemory, WatchedBroker } from './support/watched-broker.ts';

/**
 * Connections of STOMP clients with something wrong in them, over TCP and WebSocket, several at a time. Each is answered by frames
 * of the protocol, and ends with an ERROR or goes on; nothing is an internal error, others are served as before, and what was a
 * connection's memory is free again.
 */

const test = suite('fuzz/stomp-sessions');
tellSeed();

/** Growth of memory, bytes, after all of it: what retained messages, queues and the log may hold, and not more. */
const GROWTH = 48 * 1024 * 1024;

/** How connections ended, so that one sees that the test still reaches everything. */
const tally = { unanswered: 0, refused: 0, failed: 0, left: 0, served: 0 };

const watched = new WatchedBroker();
let healthy: RawStomp;

test.before(async () => {
  await watched.start();
  healthy = await RawStomp.connect(watched.server.stomp);
  healthy.send('SUBSCRIBE', { id: 'h', destination: '/queue/healthy', ack: 'client-individual', receipt: 'ready' });
  await healthy.expect('RECEIPT');
});
test.after(async () => {
  healthy.destroy();
  await watched.stop();
});

/** The healthy client's messages come, all and once. */
async function serves(): Promise<void> {
  const text = `${Math.random()}`;
  healthy.send('SEND', { destination: '/queue/healthy', receipt: text }, text);
  const seen = [await healthy.next(), await healthy.next()];
  assert.equal(seen.map(({ command }) => command).sort(), ['MESSAGE', 'RECEIPT']);
  for (const each of seen) {
    if (each.command === 'RECEIPT') assert.is(header(each, 'receipt-id'), text);
    else {
      assert.is(`${each.body}`, text);
      healthy.send('ACK', { id: header(each, 'ack') ?? '' });
    }
  }
}

test('each connection is answered by the protocol, ends with an ERROR or goes on, and others never notice', async () => {
  const before = usedMemory();
  await fc.assert(
    fc.asyncProperty(fc.array(stream, { minLength: 1, maxLength: 3 }), async (streams) => {
      const senders = streams.map((each) => new Sender(each, watched.server));
      await Promise.all(senders.map((each) => each.send()));
      await serves();
      for (const each of senders) tally[await each.judge()]++;
      await Promise.all(senders.map((each) => each.close()));
      watched.check();
    }),
    runs(150),
  );
  console.log(`measured: connections ${JSON.stringify(tally)}`);
  const grown = usedMemory() - before;
  assert.ok(grown < GROWTH, `${Math.round(grown / 1024 / 1024)} MB more`);
});

test.run();
