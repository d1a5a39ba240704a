import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import type { Neutral } from '../../support/neutral-forms.ts';
import { type Participant, type Protocol, refusal, type Source, type Taken } from './support/participant.ts';
import { onEveryBackbone, type Scene } from './support/scene.ts';

/** Groups and replay are the same from every protocol, and one group has members of all of them, on both nodes. */

/** Messages in a test, and milliseconds in which one that comes twice would have come. */
const COUNT = 60;
const CALM = 100;
/** Milliseconds that what is given back waits, and that timers may be early by. */
const DELAY = 300;
const EARLY = 20;

const text = (topic: string, payload: string, durable = true): Neutral => ({
  topic,
  payload: Buffer.from(payload),
  durable,
});
const numbers = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `${from + i}`);
const ascending = (bodies: readonly string[]): string[] => [...bodies].sort((a, b) => Number(a) - Number(b));

/** Accepts what comes, until the connection ends. */
function collect(participant: Participant, onTaken: (taken: Taken) => void): void {
  const next = (): void => {
    participant.take().then(
      (taken) => {
        taken.accept();
        onTaken(taken);
        next();
      },
      // Over: what is missing is seen where it is counted.
      () => {},
    );
  };
  next();
}

onEveryBackbone('groups', (test, scene: Scene) => {
  const members = scene.those('mqtt4', 'mqtt5', 'stomp', 'json');
  /** Those who say where to begin, and are told positions. */
  const replaying = scene.those('mqtt5', 'stomp', 'json');

  async function member(protocol: Protocol, node: 0 | 1, source: Source): Promise<Participant> {
    const participant = await scene.connect(protocol, node);
    await participant.consume(source);
    return participant;
  }

  /** The bodies of so many messages, in their order. */
  async function bodies(participant: Participant, count: number): Promise<string[]> {
    const all: string[] = [];
    for (const each of await taken(participant, count)) all.push(each.payload.toString());
    return all;
  }

  async function taken(participant: Participant, count: number): Promise<Taken[]> {
    const all: Taken[] = [];
    while (all.length < count) {
      const next = await participant.take();
      next.accept();
      all.push(next);
    }
    return all;
  }

  /** Messages of all protocols in turn, each behind the one before. */
  async function publish(topic: string, all: readonly string[], durable = true): Promise<void> {
    const publishers = await Promise.all(scene.protocols.map((each) => scene.connect(each, 0)));
    for (const [i, body] of all.entries()) await publishers[i % publishers.length]?.send(text(topic, body, durable));
  }

  /** One group with two members of each protocol, on all nodes; what each of them got. */
  async function everybody(source: Source): Promise<Map<string, string[]>> {
    const got = new Map<string, string[]>();
    for (const node of [0, 1] as const) {
      for (const protocol of members) {
        const list: string[] = [];
        got.set(`${protocol} ${node}`, list);
        collect(await member(protocol, node, source), ({ payload }) => list.push(payload.toString()));
      }
    }
    await scene.settled();
    return got;
  }

  for (const [kind, durable] of [
    ['logged', true],
    ['live', false],
  ] as const) {
    test(`each ${kind} message goes to one member, whatever it and the publisher speak`, async () => {
      const topic = scene.name('topic');
      const others = await everybody({ topic: `${topic}/#`, group: 'others' });
      const got = await everybody({ topic: `${topic}/#`, group: 'workers' });
      await publish(`${topic}/a`, numbers(COUNT), durable);
      for (const group of [got, others]) {
        const all = (): string[] => [...group.values()].flat();
        await eventually(`all of them, not ${all().length}`, () => all().length >= COUNT);
        await sleep(CALM);
        assert.equal(ascending(all()), numbers(COUNT), 'each once');
      }
      const idle = [...got].filter(([, list]) => list.length === 0).map(([name]) => name);
      if (durable) assert.equal(idle, [], 'all of them work');
    });
  }

  for (const lost of members) {
    test(`what a lost member over ${lost} had goes to others`, async () => {
      const topic = scene.name('topic');
      const source = { topic: `${topic}/+`, group: 'workers', prefetch: 5 };
      const first = await member(lost, 1, source);
      await publish(`${topic}/a`, numbers(5));
      const had: Taken[] = [];
      while (had.length < 5) had.push(await first.take());
      had[0]?.accept();
      // What was accepted is known before the connection is lost.
      await sleep(CALM);
      const got: string[] = [];
      const unmarked: string[] = [];
      for (const each of members) {
        collect(await member(each, 0, source), ({ payload, redelivered, deliveries }) => {
          got.push(payload.toString());
          if (each !== 'mqtt4' && !(redelivered && deliveries === 2)) unmarked.push(`${each}: ${deliveries}`);
        });
      }
      first.close();
      await eventually('the other four', () => got.length >= 4);
      await sleep(CALM);
      assert.equal([ascending(got), unmarked], [numbers(4, 1), []]);
    });
  }

  for (const one of replaying) {
    for (const other of replaying) {
      test(`given back to the group by ${one} with a delay, ${other} waits for it`, async () => {
        const topic = scene.name('topic');
        const source = { topic, group: 'workers', prefetch: 1 };
        const first = await member(one, 1, source);
        await (await scene.connect('mqtt4', 0)).send(text(topic, 'x'));
        const had = await first.take();
        const second = await member(other, 0, source);
        const began = Date.now();
        had.giveBack(DELAY);
        await sleep(CALM);
        // Else it could have it again.
        first.close();
        const again = await second.take();
        assert.equal([again.payload.toString(), again.redelivered, again.deliveries], ['x', true, 2]);
        assert.ok(Date.now() - began >= DELAY - EARLY, `it came after ${Date.now() - began} ms`);
        again.accept();
      });
    }
  }

  /** Where to begin among ten messages of which the sixth has this position and came at this time. */
  const STARTS: readonly (readonly [string, (position: string, time: number) => string, string[]])[] = [
    ['first', () => 'first', numbers(10)],
    ['last 3', () => 'last 3', numbers(3, 7)],
    ['position', (position) => `position ${position}`, numbers(5, 5)],
    ['time', (_, time) => `time ${time}`, numbers(5, 5)],
    ['new', () => 'new', []],
  ];

  /** Ten messages, and what was to be known of the sixth. */
  async function ten(topic: string): Promise<{ position: string; time: number }> {
    await publish(topic, numbers(5));
    await sleep(CALM);
    const time = Date.now() - CALM / 2;
    await publish(topic, numbers(5, 5));
    const reader = await member('json', 1, { topic, start: 'first' });
    return { position: (await taken(reader, 10))[5]?.position ?? '', time };
  }

  for (const [name, startOf, expected] of STARTS) {
    for (const grouped of [false, true]) {
      test(`${grouped ? 'a group' : 'a subscription'} that starts at ${name}, in every protocol`, async () => {
        const topic = scene.name('topic');
        const { position, time } = await ten(topic);
        const start = startOf(position, time);
        const readers: Participant[] = [];
        for (const protocol of replaying) {
          readers.push(await member(protocol, 1, { topic, start, ...(grouped ? { group: `of-${protocol}` } : {}) }));
        }
        await scene.settled();
        await publish(topic, ['10']);
        for (const reader of readers) assert.equal(await bodies(reader, expected.length + 1), [...expected, '10']);
      });
    }
  }

  test('a message has the same position in every protocol, and each begins at it', async () => {
    const topic = scene.name('topic');
    await publish(topic, numbers(6));
    const seen: (string | undefined)[][] = [];
    for (const protocol of replaying) {
      const all = await taken(await member(protocol, 1, { topic, start: 'first' }), 6);
      seen.push(all.map(({ position }) => position));
    }
    const [positions = []] = seen;
    for (const each of seen) assert.equal(each, positions);
    assert.is(new Set(positions).size, 6);
    for (const position of positions) assert.match(position ?? '', /^\d+-\d+$/);
    for (const protocol of replaying) {
      const reader = await member(protocol, 0, { topic, start: `position ${positions[4]}` });
      assert.equal(await bodies(reader, 2), ['4', '5']);
    }
  });

  for (const protocol of replaying) {
    test(`${protocol}: positions where they are wanted, none otherwise`, async () => {
      const topic = scene.name('topic');
      const wanting = await member(protocol, 1, { topic, positions: true });
      const plain = await member(protocol, 1, { topic });
      await publish(topic, ['x']);
      assert.match((await wanting.take()).position ?? '', /^\d+-\d+$/);
      assert.is((await plain.take()).position, undefined);
    });

    test(`${protocol}: a start that is none is refused with what is allowed`, async () => {
      const topic = scene.name('topic');
      for (const group of [{}, { group: 'g' }]) {
        const client = await scene.connect(protocol, 1);
        const { message } = await refusal(client.consume({ topic, start: 'lately', ...group }));
        assert.match(message, /start.*lately.*first.*last N.*time T.*position P/s);
      }
    });
  }
});
