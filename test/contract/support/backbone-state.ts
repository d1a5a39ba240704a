import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BackboneFactory, BackboneFixture, bytes, contentOf } from './backbone-fixture.ts';

/** Entries by key, and their revisions. */
export function backboneState(factory: BackboneFactory): void {
  const test = suite(`contract/backbone state ${factory.name}`);
  const on = new BackboneFixture();
  test.before.each(() => on.begin(factory.create()));
  test.after.each(() => on.end());

  test('what was put is there, under any key, until it is removed', async () => {
    const { state } = on;
    const keys = [
      'a',
      'a/b.c',
      '*',
      '>',
      ' ',
      '$SYS',
      '%41',
      'ключ',
      '💥',
      '.',
      '..',
      'x'.repeat(2000),
      'line\nfeed',
      '=',
    ];
    for (const key of keys) assert.type(await state.put('sessions', key, bytes(`of ${key}`)), 'number');
    for (const key of keys) assert.is(contentOf(await state.get('sessions', key)), `of ${key}`);
    assert.is(await state.get('wills', 'a'), undefined, 'buckets are apart');
    const found = new Map<string, string | undefined>();
    await state.scan('sessions', (key, entry) => found.set(key, contentOf(entry)));
    assert.equal([...found].sort(), keys.map((key) => [key, `of ${key}`]).sort());
    for (const key of keys) await state.remove('sessions', key);
    for (const key of keys) assert.is(await state.get('sessions', key), undefined);
    await state.scan('sessions', (key) => assert.unreachable(`${key} is still there`));
  });

  test('values are bytes, of some size, and the last one counts', async () => {
    const { state } = on;
    const large = Buffer.alloc(300_000, 7);
    await state.put('wills', 'k', Buffer.alloc(0));
    assert.is((await state.get('wills', 'k'))?.value.length, 0);
    const puts = [state.put('wills', 'k', bytes('1')), state.put('wills', 'k', large)];
    const seen = await state.get('wills', 'k');
    assert.ok(seen !== undefined && Buffer.compare(seen.value, large) === 0, 'a get sees what was put before it');
    const [first, second] = await Promise.all(puts);
    assert.ok((second ?? 0) > (first ?? 0), 'revisions ascend');
    assert.is(seen?.revision, second);
  });

  test('a put or a remove that expects something else does nothing', async () => {
    const { state } = on;
    const first = await state.put('sessions', 'k', bytes('1'), 0);
    assert.type(first, 'number');
    assert.is(await state.put('sessions', 'k', bytes('2'), 0), undefined);
    assert.is(await state.put('sessions', 'k', bytes('2'), (first ?? 0) + 1000), undefined);
    assert.is(await state.remove('sessions', 'k', 0), undefined);
    assert.is(contentOf(await state.get('sessions', 'k')), '1');
    const second = await state.put('sessions', 'k', bytes('2'), first);
    assert.type(second, 'number');
    assert.is(contentOf(await state.get('sessions', 'k')), '2');
    assert.type(await state.remove('sessions', 'k', second), 'number');
    assert.is(await state.get('sessions', 'k'), undefined);
    assert.type(await state.put('sessions', 'k', bytes('3'), 0), 'number', 'as if it had never been');
  });

  test('of those that expect the same, one wins', async () => {
    const { state } = on;
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) => state.put('wills', 'race', bytes(`${i}`), 0)),
    );
    const winners = [...results.entries()].filter(([, revision]) => revision !== undefined).map(([i]) => `${i}`);
    assert.is(winners.length, 1);
    assert.is(contentOf(await state.get('wills', 'race')), winners[0]);
  });

  test.run();
}
