import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Properties } from '../../../src/core/message.ts';
import type { QueueSettings } from '../../../src/core/queue-settings.ts';
import type { Limits } from '../../../src/ports/limits.ts';
import { QueueWorld, type Recorder } from './support/queues.ts';

/** Consumers that select: who gets what, and what that costs. */

const test = suite('routing/queues: selectors');

const RED = "color = 'red'";
const BLUE = "color = 'blue'";

/** A queue, and what is asked of its store. */
class Scene {
  readonly world: QueueWorld;
  passes = 0;
  revisits: (number | 'all')[] = [];
  releases = 0;

  private constructor(settings: Partial<QueueSettings>, limits: Partial<Limits>) {
    this.world = new QueueWorld(settings, { queueMessages: 1_000_000, ...limits });
    const { kept } = this.world;
    const open = kept.open.bind(kept);
    kept.open = async (name, receiver) => {
      const store = await open(name, receiver);
      const { pass, revisit, release } = store;
      store.pass = (id) => {
        this.passes++;
        pass.call(store, id);
      };
      store.revisit = (ids) => {
        this.revisits.push(ids === undefined ? 'all' : [...ids].length);
        revisit.call(store, ids);
      };
      store.release = (...args) => {
        this.releases++;
        release.apply(store, args);
      };
      return store;
    };
  }

  static async open(settings: Partial<QueueSettings> = {}, limits: Partial<Limits> = {}): Promise<Scene> {
    const scene = new Scene(settings, limits);
    await scene.world.start();
    return scene;
  }

  /** `red 1` is red. */
  async push(bodies: readonly string[], properties: Properties = {}): Promise<void> {
    for (const body of bodies) this.world.push(body, { user: [['color', body.split(' ', 1)[0] ?? '']], ...properties });
    await this.world.settle();
  }

  async consume(selector?: string, prefetch = 100, more: { readonly priority?: number } = {}): Promise<Recorder> {
    const recorder = this.world.consume({ clientId: `${selector}`, prefetch, selector, ...more });
    await this.world.settle();
    return recorder;
  }

  async leave(recorder: Recorder): Promise<void> {
    recorder.consumption?.cancel();
    await this.world.settle();
  }

  async settle(recorder: Recorder, body: string, outcome?: 'accept' | 'requeue' | 'reject'): Promise<void> {
    recorder.settle(body, outcome);
    await this.world.settle();
  }

  async unsettled(): Promise<number | undefined> {
    const status = this.world.queues.status('q');
    await this.world.settle();
    return (await status)?.unsettled;
  }
}

const many = (color: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${color} ${i}`);

test('the last of 100,000 messages is found by the one that selects it, each being looked at once', async () => {
  const scene = await Scene.open();
  const blues = many('blue', 100_000);
  // So many may wait for a queue to be opened.
  for (let i = 0; i < 100_000; i += 5000) await scene.push(blues.slice(i, i + 5000));
  await scene.push(['red 1']);
  const red = await scene.consume(RED);
  assert.equal(red.got, ['red 1']);
  await scene.push(['red 2']);
  await scene.settle(red, 'red 1');
  assert.equal(red.got, ['red 1', 'red 2']);
  assert.equal([scene.passes, scene.revisits, scene.releases], [100_000, [], 0]);
  const blue = await scene.consume(BLUE, 3);
  assert.equal(blue.got, ['blue 0', 'blue 1', 'blue 2']);
  blue.settleAll();
  await scene.world.settle();
  assert.equal(blue.got.slice(3), ['blue 3', 'blue 4', 'blue 5']);
  assert.equal(scene.revisits, ['all']);
  // All were tried on it, once.
  assert.ok(scene.passes < 200_000, `${scene.passes}`);
});

test('a full consumer has a few ready in memory; the rest is passed over, and asked for by id', async () => {
  const scene = await Scene.open();
  const red = await scene.consume(RED, 10);
  const blue = await scene.consume(BLUE, 10);
  await scene.push([...many('red', 1000), 'blue 1']);
  assert.equal(blue.got, ['blue 1']);
  assert.is(red.got.length, 10);
  assert.is(scene.passes, 980);
  for (let i = 0; i < 1000; i++) await scene.settle(red, `red ${i}`);
  assert.equal(red.got, many('red', 1000));
  assert.is(scene.passes, 980, 'none is looked at again that cannot be held');
  assert.ok(scene.revisits.every((each) => each !== 'all' && each <= 10));
});

test('one who comes back with its selector has nothing looked at again', async () => {
  const scene = await Scene.open();
  await scene.push(many('blue', 1000));
  for (let times = 0; times < 5; times++) {
    const red = await scene.consume(RED);
    await scene.push([`red ${times}`]);
    await scene.settle(red, `red ${times}`);
    await scene.leave(red);
    // Passed over while nobody wants it: it is known that the next one does.
    const blue = await scene.consume("color = 'green'");
    await scene.push([`red away ${times}`]);
    await scene.leave(blue);
    const again = await scene.consume(RED);
    assert.equal(again.got, [`red away ${times}`]);
    again.settleAll();
    await scene.leave(again);
  }
  assert.ok(scene.revisits.filter((each) => each === 'all').length <= 1, `${scene.revisits}`);
  assert.ok(scene.passes < 2100, `${scene.passes}`);
});

test('one who comes back has what is held ready for others meanwhile', async () => {
  const scene = await Scene.open();
  const [first, second] = [await scene.consume(undefined, 1), await scene.consume(undefined, 1)];
  await scene.push(['blue 1', 'blue 2']);
  const blue = await scene.consume(BLUE, 1);
  await scene.leave(first);
  await scene.leave(second);
  assert.equal(blue.got, ['blue 1*']);
  const all = await scene.consume(undefined, 1);
  assert.equal(all.got, ['blue 2*']);
});

test('after a while without consumers, what they passed over is as any other message', async () => {
  const scene = await Scene.open({ deadLetterQueue: 'dead' });
  const red = await scene.consume(RED);
  await scene.push(['blue 1'], { expiresAt: scene.world.clock.now() + 5000 });
  await scene.leave(red);
  await scene.world.clock.advance(20_000);
  assert.equal(await scene.world.bodies('dead'), ['blue 1']);
});

test('what expires while it is passed over goes to the dead-letter queue', async () => {
  const scene = await Scene.open({ deadLetterQueue: 'dead' });
  await scene.consume(RED);
  await scene.push(['blue 1', 'blue 2'], { expiresAt: scene.world.clock.now() + 5000 });
  await scene.push(['blue 3']);
  await scene.world.clock.advance(4000);
  assert.equal(await scene.world.bodies('dead'), []);
  await scene.world.clock.advance(4000);
  assert.equal(await scene.world.bodies('dead'), ['blue 1', 'blue 2']);
  assert.equal(await scene.world.bodies(), ['blue 3']);
});

test('a queue that drops its oldest drops what was passed over, a few at a time', async () => {
  const scene = await Scene.open({ maxMessages: 100, overflow: 'dropOldest' });
  const red = await scene.consume(RED);
  await scene.push(many('blue', 500));
  assert.equal(await scene.world.bodies(), many('blue', 500).slice(400));
  assert.ok(scene.revisits.every((each) => each !== 'all'));
  await scene.push(['red 1']);
  assert.equal(red.got, ['red 1']);
});

test('at limits.passedMessages no more are looked at; that is logged and counted, and goes on when there is room', async () => {
  const scene = await Scene.open({}, { passedMessages: 50 });
  const red = await scene.consume(RED, 2);
  await scene.push([...many('blue', 500), 'red 1', 'red 2']);
  assert.equal(red.got, []);
  assert.ok(scene.passes <= 60, `${scene.passes}`);
  assert.equal(
    [scene.world.counters.passedFull, scene.world.logged.filter((each) => /pass over/.test(each)).length],
    [1, 1],
  );
  const blue = await scene.consume(BLUE, 1000);
  assert.is(blue.got.length, 500);
  assert.equal(red.got, ['red 1', 'red 2']);
});

test('at the limit, what is passed over for someone still comes to that one', async () => {
  const scene = await Scene.open({}, { passedMessages: 50 });
  const red = await scene.consume(RED, 2);
  const blue = await scene.consume(BLUE, 2);
  await scene.push([...many('red', 200), 'blue 1']);
  for (let i = 0; i < 200; i++) await scene.settle(red, `red ${i}`);
  assert.equal(red.got, many('red', 200));
  assert.equal(blue.got, ['blue 1']);
});

test('a higher priority goes first, also to one for which others were passed over', async () => {
  const scene = await Scene.open();
  const red = await scene.consume(RED, 1);
  await scene.consume(BLUE, 1);
  await scene.push(many('red', 20));
  await scene.push(['red high'], { priority: 5 });
  await scene.settle(red, 'red 0');
  assert.equal(red.got, ['red 0', 'red high']);
  await scene.push(['red higher'], { priority: 6 });
  await scene.settle(red, 'red high');
  await scene.settle(red, 'red higher');
  assert.equal(red.got.slice(2), ['red higher', 'red 1']);
});

test('consumers of higher priority come first, each for what it selects', async () => {
  const scene = await Scene.open();
  const all = await scene.consume(undefined, 100);
  const red = await scene.consume(RED, 1, { priority: 5 });
  await scene.push(['red 1', 'blue 1', 'red 2']);
  assert.equal([red.got, all.got], [['red 1'], ['blue 1', 'red 2']]);
});

test('a key stays with its consumer; what that one does not select waits until it has settled', async () => {
  const scene = await Scene.open();
  const red = await scene.consume(RED);
  const blue = await scene.consume(BLUE);
  await scene.push(['red 1', 'blue 1', 'red 2'], { key: 'k' });
  await scene.push(['blue other'], { key: 'l' });
  assert.equal([red.got, blue.got], [['red 1'], ['blue other']]);
  await scene.settle(red, 'red 1');
  assert.equal([red.got, blue.got], [['red 1'], ['blue other', 'blue 1']]);
  await scene.settle(blue, 'blue 1');
  assert.equal(red.got, ['red 1', 'red 2']);
});

test('of a key, what nobody selects holds up nobody', async () => {
  const scene = await Scene.open();
  const red = await scene.consume(RED);
  await scene.push(['blue 1', 'red 1', 'green 1', 'red 2'], { key: 'k' });
  assert.equal(red.got, ['red 1', 'red 2']);
  const all = await scene.consume();
  assert.equal(all.got, []);
  red.settleAll();
  await scene.world.settle();
  assert.equal(all.got, ['blue 1', 'green 1']);
});

test('of a single active consumer, its selector is the one that counts', async () => {
  const scene = await Scene.open({ singleActiveConsumer: true });
  const red = await scene.consume(RED);
  const blue = await scene.consume(BLUE);
  await scene.push(['blue 1', 'red 1', 'blue 2']);
  assert.equal([red.got, blue.got], [['red 1'], []]);
  await scene.leave(red);
  assert.equal(blue.got, ['blue 1', 'blue 2']);
});

test('what is taken back after a time-out, or rejected, goes to who selects it, or to the dead-letter queue', async () => {
  const scene = await Scene.open({ ackMilliseconds: 5000, maxDeliveries: 2, deadLetterQueue: 'dead' });
  const first = await scene.consume(RED, 1);
  const blue = await scene.consume(BLUE);
  await scene.push(['red 1', 'red 2']);
  const second = await scene.consume("color LIKE 'red%'", 1);
  assert.equal([first.got, second.got], [['red 1'], ['red 2']]);
  await scene.settle(second, 'red 2', 'reject');
  await scene.world.clock.advance(6000);
  assert.equal([first.got.length + second.got.length, blue.got], [3, []]);
  await scene.world.clock.advance(6000);
  assert.equal(await scene.world.bodies('dead'), ['red 2', 'red 1']);
});

test('purging removes what was passed over, and what is held ready', async () => {
  const scene = await Scene.open();
  const red = await scene.consume(RED, 2);
  await scene.consume(BLUE, 2);
  await scene.push([...many('red', 50), ...many('green', 50)]);
  const purged = scene.world.queues.purge('q');
  await scene.world.settle();
  assert.is(await purged, 98);
  red.settleAll();
  await scene.push(['red new']);
  assert.equal(red.got.slice(2), ['red new']);
});

test('one without a selector gets all in order when the last one that selects goes', async () => {
  const scene = await Scene.open();
  const red = await scene.consume(RED);
  await scene.push(['blue 1', 'blue 2']);
  const all = await scene.consume(undefined, 3);
  await scene.push(['red 1', 'blue 3', 'blue 4', 'blue 5', 'blue 6', 'blue 7', 'blue 8']);
  assert.equal(all.got, ['blue 1', 'blue 2', 'blue 3']);
  await scene.leave(red);
  for (let i = 1; i <= 5; i++) await scene.settle(all, `blue ${i}`);
  assert.equal([...all.got].sort(), [...many('blue', 8).slice(1), 'red 1*']);
  assert.equal(
    all.got.filter((each) => each !== 'red 1*'),
    many('blue', 8).slice(1),
  );
  assert.is(await scene.unsettled(), 3);
});

test('without selectors nothing is passed over', async () => {
  const scene = await Scene.open();
  const all = await scene.consume(undefined, 2);
  await scene.push(many('red', 1000));
  assert.is(all.got.length, 2);
  assert.equal([scene.passes, scene.revisits], [0, []]);
});

test('a selector that cannot be read is refused', async () => {
  const scene = await Scene.open();
  const wrong = await scene.consume('color =');
  assert.is(wrong.error?.code, 'fieldInvalid');
});

test.run();
