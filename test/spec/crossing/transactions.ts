import * as assert from 'uvu/assert';
import { header, RawStomp } from '../../support/stomp-client.ts';
import { onEveryBackbone } from './support/scene.ts';

/** STOMP's transactions on every backbone, with queues that are on this node and on another. */

onEveryBackbone('crossing transactions', (test, scene) => {
  for (const elsewhere of [false, true]) {
    const where = elsewhere ? 'another node, if there is one' : 'this node';
    test(`STOMP 1.2, COMMIT: applied though the client goes on at once, unsubscribes and leaves; queues of ${where}`, async () => {
      const [input, output] = [scene.name('in'), scene.name('out')];
      // Who uses a queue first has it.
      const first = await RawStomp.connect(scene.stomp(elsewhere ? 1 : 0));
      for (const queue of [input, output]) {
        for (const body of ['1', '2']) first.send('SEND', { destination: `/queue/${queue}`, receipt: 'r' }, body);
        for (let i = 0; i < 2; i++) await first.expect('RECEIPT');
      }
      const reader = await RawStomp.connect(scene.stomp(1));
      reader.send('SUBSCRIBE', { id: 't', destination: `/topic/${input}`, receipt: 'r' });
      await reader.expect('RECEIPT');
      await scene.settled();
      const client = await RawStomp.connect(scene.stomp(0));
      client.send('SUBSCRIBE', { id: 'q', destination: `/queue/${input}`, ack: 'client' });
      await client.expect('MESSAGE');
      const ack = header(await client.expect('MESSAGE'), 'ack') ?? '';
      client.socket.cork();
      client.send('BEGIN', { transaction: 't' });
      for (const destination of [`/queue/${output}`, `/topic/${input}`])
        client.send('SEND', { destination, transaction: 't' }, 'answer');
      client.send('ACK', { id: ack, transaction: 't' });
      client.send('COMMIT', { transaction: 't' });
      client.send('UNSUBSCRIBE', { id: 'q' });
      client.send('SEND', { destination: `/topic/${input}`, persistent: 'true' }, 'behind');
      client.send('DISCONNECT', { receipt: 'bye' });
      client.socket.uncork();
      assert.is(header(await client.expect('RECEIPT'), 'receipt-id'), 'bye');
      for (const body of ['answer', 'behind']) assert.is(`${(await reader.expect('MESSAGE')).body}`, body);
      reader.send('SUBSCRIBE', { id: 'o', destination: `/queue/${output}` });
      for (const body of ['1', '2', 'answer']) assert.is(`${(await reader.expect('MESSAGE')).body}`, body);
      await scene.emptied(input);
      for (const each of [first, reader, client]) each.destroy();
    });
  }
});
