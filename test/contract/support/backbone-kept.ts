import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Message } from '../../../src/core/message.ts';
import type { Backbone } from '../../../src/ports/backbone.ts';
import { type BackboneFactory, BackboneFixture, bytes, contentOf, message, textOf } from './backbone-fixture.ts';

/** What is there after a stop and a start. */
export function backboneKept(factory: BackboneFactory, reopen: () => Promise<Backbone> | Backbone): void {
  const test = suite(`contract/backbone kept ${factory.name}`);
  const on = new BackboneFixture();
  test.before.each(() => on.begin(factory.create()));
  test.after.each(() => on.end());

  async function restart(): Promise<void> {
    await on.end();
    await on.begin(reopen());
  }

  test('the log, read as before; positions go on', async () => {
    const { node: name } = on.backbone.cluster;
    await on.append(...Array.from({ length: 300 }, (_, i) => message(`t/${i % 3}`, `${i}`)));
    const next = on.log.next(0);
    const first = on.log.first(0);
    await restart();
    assert.is.not(on.backbone.cluster.node, name);
    assert.ok(!on.backbone.cluster.alive(name), 'the earlier run is gone');
    assert.is(on.log.next(0), next);
    assert.is(on.log.first(0), first);
    assert.equal(on.tailed, [], 'the tail is what comes from now on');
    await on.append(message('t/1', 'later'));
    assert.ok((on.tailed[0]?.sequence ?? 0) >= next);
    const all: Message[] = [];
    for (let from = first; from < on.log.next(0); ) {
      const portion = await on.read(from, 50, 1024 * 1024, ['t/1']);
      all.push(...portion.messages.filter((each) => each.topic === 't/1'));
      from = portion.next;
    }
    const expected = Array.from({ length: 100 }, (_, i) => `${i * 3 + 1}`);
    assert.equal(all.map(textOf), [...expected, 'later']);
  });

  test('the state, whose revisions go on', async () => {
    const revision = await on.state.put('sessions', 'k/ä', bytes('1'));
    await on.state.put('sessions', 'gone', bytes('1'));
    await on.state.remove('sessions', 'gone');
    await restart();
    const entry = await on.state.get('sessions', 'k/ä');
    assert.is(contentOf(entry), '1');
    assert.is(entry?.revision, revision);
    assert.is(await on.state.get('sessions', 'gone'), undefined);
    const second = await on.state.put('sessions', 'k/ä', bytes('2'), revision);
    assert.ok((second ?? 0) > (revision ?? 0));
  });

  test('ids of messages are still known', async () => {
    const named = message('a', '1');
    named.dedupId = 'x';
    await on.append(named);
    await restart();
    const again = message('a', 'again');
    again.dedupId = 'x';
    await new Promise<void>((resolve, reject) => {
      on.log.append(again, { appended: () => resolve(), refused: (_, error) => reject(error) }, 0);
    });
    assert.equal(on.tailed, []);
  });

  test('what is put before a message is appended is there when the message is acknowledged', async () => {
    void on.state.put('sessions', 'before', bytes('1'));
    await on.append(message('a', '1'));
    await restart();
    assert.is(contentOf(await on.state.get('sessions', 'before')), '1');
  });

  test.run();
}
