import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BrokerError } from '../../../src/core/errors.ts';
import { HeldQueue, queued, textOf } from '../../contract/support/held-queue.ts';
import { eventually } from '../../support/eventually.ts';
import { failNext } from './support/faulty-writes.ts';
import { message, newDirectory, Opened } from './support/opened.ts';

/** `Backbone.together`: messages of the log, messages of queues and removals from queues, all or none. */

const test = suite('spec/embedded together');
test.after.each(() => Opened.stopAll());

/** What became of each: `+` or `-`, and its name. */
function outcomes(): { readonly seen: string[]; of(name: string): Parameters<HeldQueue['store']['push']>[1] } {
  const seen: string[] = [];
  return {
    seen,
    of: (name) => ({
      appended: () => void seen.push(`+${name}`),
      refused: (_token: number, _error: BrokerError) => void seen.push(`-${name}`),
    }),
  };
}

async function answering(opened: Opened): Promise<void> {
  await eventually('open again', () => opened.backbone.notReady() === undefined);
}

for (const fault of ['gone', 'there'] as const) {
  test(`a write that fails (${fault}): what was removed in it comes again, redelivered, and nothing else is there`, async () => {
    const directory = newDirectory();
    let opened = await Opened.open(directory, { sync: 'always' });
    const { backbone } = opened;
    const input = await HeldQueue.open(backbone.queues, 'in');
    const output = await HeldQueue.open(backbone.queues, 'out');
    await input.pushAll('a', 'b', 'c', 'd');
    const [a, b, c] = await input.get(3);
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    const told = outcomes();
    failNext(fault);
    // Not of the unit: done with, whatever becomes of the write.
    input.store.remove(c.id);
    const refusal = backbone.together(() => {
      output.store.push(queued('made of a'), told.of('out'), 0);
      input.store.remove(b.id);
      backbone.log.append(message('t', 'made of a'), told.of('log'), 0);
      input.store.remove(a.id);
    });
    assert.is(refusal, undefined);
    assert.is(input.store.messages, 1);
    await eventually('told', () => told.seen.length === 2);
    assert.equal(told.seen.sort(), ['-log', '-out']);
    await answering(opened);
    assert.equal([input.store.messages, input.store.bytes, output.store.messages], [3, 3, 0]);
    const again = await input.get(3);
    assert.equal(
      again.map((entry) => `${textOf(entry)} ${entry.redelivered}`),
      ['a true', 'b true', 'd false'],
      'in their order, before what nobody had',
    );
    // Now it is taken.
    backbone.together(() => {
      for (const entry of again) input.store.remove(entry.id);
      output.store.push(queued('made at last'), told.of('again'), 0);
    });
    await eventually('told again', () => told.seen.length === 3);
    assert.is(told.seen[2], '+again');
    await opened.stop();
    opened = await Opened.open(directory);
    const [left, made] = [
      await HeldQueue.open(opened.backbone.queues, 'in'),
      await HeldQueue.open(opened.backbone.queues, 'out'),
    ];
    assert.equal([left.store.messages, left.store.bytes, made.store.messages], [0, 0, 1]);
    assert.equal((await opened.readAll()).length, 0);
    assert.equal(await made.texts(1), ['made at last']);
  });
}

test('stopped after such a write, it is as it was before', async () => {
  const directory = newDirectory();
  let opened = await Opened.open(directory, { sync: 'always' });
  const input = await HeldQueue.open(opened.backbone.queues, 'in');
  await input.pushAll('a', 'b');
  const [a] = await input.get(1);
  const told = outcomes();
  failNext('there');
  opened.backbone.together(() => {
    opened.backbone.log.append(message('t', 'made of a'), told.of('log'), 0);
    input.store.remove(a?.id ?? 0);
  });
  await eventually('told', () => told.seen.length === 1);
  await opened.stop();
  opened = await Opened.open(directory);
  const left = await HeldQueue.open(opened.backbone.queues, 'in');
  assert.equal(await left.texts(2), ['a', 'b']);
  assert.is(left.taken[0]?.redelivered, true);
  assert.equal(await opened.readAll(), []);
});

test('what waits for the disk is too much in the middle of it: nothing is refused, and what comes behind it is', async () => {
  const opened = await Opened.open(newDirectory(), { pendingBytes: 1000 });
  const { backbone } = opened;
  const queue = await HeldQueue.open(backbone.queues, 'q');
  const told = outcomes();
  const large = 'x'.repeat(600);
  backbone.together(() => {
    for (let i = 0; i < 4; i++) {
      backbone.log.append(message('t', large), told.of('log'), 0);
      queue.store.push(queued(large), told.of('queue'), 0);
    }
  });
  backbone.log.append(message('t', 'late'), told.of('late'), 0);
  const refusal = backbone.together(() => told.seen.push('called'));
  assert.is(refusal?.code, 'quota');
  await eventually('told', () => told.seen.length === 9);
  assert.equal(told.seen.sort(), [...Array(4).fill('+log'), ...Array(4).fill('+queue'), '-late']);
});

test('while the store is away nothing is begun', async () => {
  const opened = await Opened.open(newDirectory());
  await opened.stop();
  let called = false;
  const refusal = opened.backbone.together(() => {
    called = true;
  });
  assert.is(refusal?.code, 'unavailable');
  assert.not(called);
});

test.run();
