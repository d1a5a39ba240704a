import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import type { Participant, Protocol, Source } from './support/participant.ts';
import { onEveryBackbone, type Scene } from './support/scene.ts';

/** What one protocol says of a message, another one selects by; on one node, and on the other. */

/** Messages of a test, and milliseconds in which one that was not selected would have come. */
const COUNT = 20;
const CALM = 100;
const SELECTOR =
  "number % 2 = 1 AND kind-of IN ('a', 'b') AND JMSCorrelationID LIKE 'c-%' AND content-type = 'text/plain'";

const numbers = Array.from({ length: COUNT }, (_, i) => i);
const selected = numbers.filter((each) => each % 2 === 1).map(String);

onEveryBackbone('selectors of topics and groups', (test, scene: Scene) => {
  const subscribers = scene.those('stomp', 'json');
  /** Those that can say all of it. */
  const publishers = scene.those('mqtt5', 'stomp', 'json');

  async function publish(topic: string, durable: boolean): Promise<void> {
    const all = await Promise.all(publishers.map((each) => scene.connect(each, 0)));
    for (const number of numbers) {
      await all[number % all.length]?.send({
        topic,
        payload: Buffer.from(`${number}`),
        durable,
        contentType: 'text/plain',
        correlation: Buffer.from(`c-${number}`),
        headers: [
          ['number', `${number}`],
          ['kind-of', 'a'],
          ['kind-of', 'none'],
        ],
      });
    }
  }

  /** Accepts what comes to it, and keeps the bodies. */
  async function listening(protocol: Protocol, node: 0 | 1, source: Source): Promise<string[]> {
    const participant: Participant = await scene.connect(protocol, node);
    await participant.consume(source);
    const got: string[] = [];
    const next = (): void => {
      participant.take().then(
        (taken) => {
          taken.accept();
          got.push(taken.payload.toString());
          next();
        },
        () => {},
      );
    };
    next();
    return got;
  }

  for (const durable of [true, false]) {
    const kind = durable ? 'logged' : 'live';
    test(`subscriptions to topics, ${kind}: what the publisher said is what is selected by`, async () => {
      const topic = scene.name('topic');
      const got = new Map<string, string[]>();
      for (const node of [0, 1] as const) {
        for (const each of subscribers) {
          got.set(`${each} ${node}`, await listening(each, node, { topic: `${topic}/#`, selector: SELECTOR }));
        }
      }
      await scene.settled();
      await publish(`${topic}/a`, durable);
      for (const [who, list] of got) await eventually(`all, for ${who}`, () => list.length >= selected.length);
      await sleep(CALM);
      for (const [who, list] of got) assert.equal([...list].sort(), [...selected].sort(), who);
    });

    test(`a group with members of both protocols, on all nodes, ${kind}`, async () => {
      const topic = scene.name('topic');
      const source = { topic: `${topic}/#`, group: 'workers', selector: SELECTOR };
      const got: string[][] = [];
      for (const node of [0, 1] as const) for (const each of subscribers) got.push(await listening(each, node, source));
      await scene.settled();
      await publish(`${topic}/a`, durable);
      await eventually('all of them', () => got.flat().length >= selected.length);
      await sleep(CALM);
      assert.equal(got.flat().sort(), [...selected].sort(), 'each once');
    });
  }
});
