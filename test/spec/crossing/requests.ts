import * as assert from 'uvu/assert';
import type { Neutral } from '../../support/neutral-forms.ts';
import { type Participant, type Protocol, refusal } from './support/participant.ts';
import { onEveryBackbone, type Scene } from './support/scene.ts';

/** Questions and answers between each two protocols, the asker on one node, who answers on another. */

/** Milliseconds: what is told at once, and how long an asker waits that is to be told that no answer came. */
const AT_ONCE = 1000;
const PATIENCE = 300;
const EARLY = 20;

const question = (topic: string, payload: string): Neutral => ({
  topic,
  payload: Buffer.from(payload),
  durable: topic.startsWith('$queue/'),
});

onEveryBackbone('requests', (test, scene: Scene) => {
  /** Those that have a way to ask; MQTT 3.1.1 has none. */
  const asking = scene.those('mqtt5', 'stomp', 'json', 'nats');
  /** Those who are told when no one listens, or no answer comes; the others see to their own time. */
  const told = scene.those('json', 'nats');

  const places = { topic: (name: string) => name, queue: (name: string) => `$queue/${name}` };

  /** Answers so many questions. What goes wrong is heard of by who waits for that, after the asker. */
  function answer(who: Participant, how: (asked: string) => string, count: number): Promise<void> {
    const answering = answerAll(who, how, count);
    answering.catch(() => {});
    return answering;
  }

  async function answerAll(who: Participant, how: (asked: string) => string, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const taken = await who.take();
      await taken.answer(Buffer.from(how(taken.payload.toString())));
      taken.accept();
    }
  }

  for (const [place, topicOf] of Object.entries(places)) {
    for (const one of asking) {
      for (const other of asking) {
        // Its broker sees none of those that take from a queue beside it, and says that no one listens.
        if (place === 'queue' && one === 'json' && other === 'nats') continue;
        test(`${one} asks a ${place}, ${other} answers`, async () => {
          const topic = topicOf(scene.name('service'));
          const answerer = await scene.connect(other, 1);
          await answerer.consume({ topic });
          await scene.settled();
          const asker = await scene.connect(one, 0);
          const answering = answer(answerer, (asked) => `${asked} is ${other}`, 3);
          for (const asked of ['1', '2: ü', '3']) {
            const { payload } = await asker.ask(question(topic, asked));
            assert.is(payload.toString(), `${asked} is ${other}`);
          }
          await answering;
        });
      }
    }
  }

  for (const one of asking) {
    test(`answers find the one of two ${one} clients that asked`, async () => {
      const topic = scene.name('service');
      const answerer = await scene.connect('stomp', 1);
      await answerer.consume({ topic });
      await scene.settled();
      const askers = [await scene.connect(one, 0), await scene.connect(one, 1)];
      const answering = answer(answerer, (asked) => `for ${asked}`, 2);
      const answers = await Promise.all(askers.map((asker, i) => asker.ask(question(topic, `${i}`))));
      assert.equal(
        answers.map(({ payload }) => payload.toString()),
        ['for 0', 'for 1'],
      );
      await answering;
    });
  }

  const refused = async (asker: Protocol, topic: string, expected: 'noListener' | 'noReply'): Promise<number> => {
    const client = await scene.connect(asker, 0);
    const began = Date.now();
    assert.is(
      (await refusal(client.ask(question(topic, '?'), expected === 'noReply' ? PATIENCE : 2 * AT_ONCE))).code,
      expected,
    );
    return Date.now() - began;
  };

  for (const asker of told) {
    test(`${asker} is told at once that no one listens`, async () => {
      const topic = scene.name('service');
      assert.ok((await refused(asker, topic, 'noListener')) < AT_ONCE);
      const answerer = await scene.connect('mqtt5', 1);
      await answerer.consume({ topic });
      await scene.settled();
      const client = await scene.connect(asker, 0);
      const answering = answer(answerer, () => 'now', 1);
      assert.is((await client.ask(question(topic, '?'))).payload.toString(), 'now');
      await answering;
      answerer.close();
      await scene.settled();
      assert.ok((await refused(asker, topic, 'noListener')) < AT_ONCE);
    });

    for (const silent of asking) {
      test(`${asker} is told in time that ${silent} does not answer`, async () => {
        const topic = scene.name('service');
        const listener = await scene.connect(silent, 1);
        await listener.consume({ topic });
        await scene.settled();
        const took = await refused(asker, topic, 'noReply');
        assert.ok(took >= PATIENCE - EARLY && took < PATIENCE + AT_ONCE, `after ${took} ms`);
        assert.is((await listener.take()).payload.toString(), '?');
      });
    }
  }

  test('json is told at once that no one consumes a queue, which does not get the question', async () => {
    const queue = scene.name('service');
    await scene.declare(queue, {});
    assert.ok((await refused('json', `$queue/${queue}`, 'noListener')) < AT_ONCE);
    await scene.emptied(queue);
  });

  test('a question to a queue expires with the time of its asker', async () => {
    const queue = scene.name('service');
    const topic = `$queue/${queue}`;
    const busy = await scene.connect('stomp', 1);
    await busy.consume({ topic, prefetch: 1 });
    await (await scene.connect('mqtt5', 0)).send(question(topic, 'keeps it busy'));
    const taken = await busy.take();
    assert.ok((await refused('json', topic, 'noReply')) >= PATIENCE - EARLY);
    taken.accept();
    await scene.emptied(queue);
  });
});
