import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import { refusal } from './support/participant.ts';
import { onEveryBackbone, type Scene } from './support/scene.ts';

/** Where what is in a queue ends: on the topic of its dead letters, or with its last consumer. From every protocol. */

onEveryBackbone('the ends of queues', (test, scene: Scene) => {
  /** Clients that say how a queue is set, and reject for good. */
  const full = scene.those('mqtt5', 'stomp', 'json');

  for (const one of full) {
    for (const other of full) {
      test(`${one} rejects, ${other} reads it on the topic of dead letters`, async () => {
        const queue = scene.name('queue');
        const dead = `dead/${scene.name('letters')}`;
        const listener = await scene.connect(other, 1);
        await listener.consume({ topic: dead });
        await scene.settled();
        const consumer = await scene.connect(one, 1);
        await consumer.consume({ topic: `$queue/${queue}`, settings: { deadLetterTopic: dead } });
        const producer = await scene.connect('json', 0);
        const payload = Buffer.from('poison');
        await producer.send({ topic: `$queue/${queue}`, payload, durable: true, headers: [['a', '1']] });
        (await consumer.take()).reject();
        const letter = await listener.take();
        assert.equal([letter.payload.toString(), letter.topic], ['poison', dead]);
        assert.equal(letter.headers.slice(0, 4), [
          ['a', '1'],
          ['dead-letter-reason', 'rejected'],
          ['dead-letter-count', '1'],
          ['dead-letter-queue', queue],
        ]);
        await scene.emptied(queue);
      });
    }
  }

  for (const one of full) {
    for (const other of full) {
      test(`a queue goes with ${one}, its last consumer, and what ${other} had told it to be`, async () => {
        const queue = scene.name('queue');
        const topic = `$queue/${queue}`;
        const settings = { autoDelete: true };
        const first = await scene.connect(one, 0);
        await first.consume({ topic, settings });
        const second = await scene.connect(other, 1);
        await second.consume({ topic, settings });
        second.close();
        const late = await scene.connect(other, 1);
        await eventually('the one that left is gone', async () => (await scene.status(queue))?.consumers === 1);
        assert.match((await refusal(late.consume({ topic, settings: { autoDelete: false } }))).message, /autoDelete/);
        first.close();
        await eventually('the queue is gone', async () => (await scene.status(queue)) === undefined);
      });
    }
  }
});
