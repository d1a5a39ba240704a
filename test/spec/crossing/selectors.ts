import * as assert from 'uvu/assert';
import type { Neutral } from '../../support/neutral-forms.ts';
import type { Participant } from './support/participant.ts';
import { onEveryBackbone, type Scene } from './support/scene.ts';

/** Consumers that select what they take of a queue, beside it and on another node than the one that has it. */

const colored = (topic: string, color: string, payload: string): Neutral => ({
  topic,
  payload: Buffer.from(payload),
  durable: true,
  headers: [['color', color]],
});

onEveryBackbone('selectors', (test, scene: Scene) => {
  const textsOf = async (from: Participant, count: number): Promise<string[]> => {
    const texts: string[] = [];
    while (texts.length < count) {
      const taken = await from.take();
      texts.push(`${taken.payload}${taken.redelivered ? '*' : ''}`);
      taken.accept();
    }
    return texts;
  };

  for (const owner of [0, 1] as const) {
    test(`each takes what it selects, the queue being made by node ${owner}`, async () => {
      const topic = `$queue/${scene.name('queue')}`;
      // Whoever uses it first has it.
      const maker = await scene.connect('stomp', owner);
      await maker.send(colored(topic, 'green', '0'));
      const [red, blue] = [await scene.connect('stomp', 1), await scene.connect('json', 0)];
      await red.consume({ topic, selector: "color = 'red'", prefetch: 2 });
      await blue.consume({ topic, selector: "color = 'blue'" });
      const sender = await scene.connect('stomp', 0);
      for (let i = 1; i <= 20; i++) await sender.send(colored(topic, i % 2 === 0 ? 'red' : 'blue', `${i}`));
      const numbers = Array.from({ length: 10 }, (_, i) => 2 * i + 1);
      assert.equal(await textsOf(blue, 10), numbers.map(String));
      assert.equal(
        await textsOf(red, 10),
        numbers.map((each) => `${each + 1}`),
      );
      const rest = await scene.connect('stomp', 1);
      await rest.consume({ topic });
      assert.equal(await textsOf(rest, 1), ['0']);
      await scene.emptied(topic.slice('$queue/'.length));
    });
  }

  test('what one gives back goes to another one that selects it', async () => {
    const topic = `$queue/${scene.name('queue')}`;
    const [first, second] = [await scene.connect('stomp', 0), await scene.connect('stomp', 1)];
    await first.consume({ topic, selector: "color = 'red'" });
    const sender = await scene.connect('stomp', 0);
    await sender.send(colored(topic, 'blue', 'blue'));
    await sender.send(colored(topic, 'red', 'red'));
    assert.is((await first.take()).payload.toString(), 'red');
    await second.consume({ topic, selector: "color IN ('red', 'blue')" });
    assert.equal(await textsOf(second, 1), ['blue']);
    first.close();
    assert.equal(await textsOf(second, 1), ['red*']);
  });
});
