import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { matches } from '../../src/core/filter.ts';
import { Message, type Properties } from '../../src/core/message.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import { type BackboneFactory, BackboneFixture, message, textOf } from './support/backbone-fixture.ts';
import { backboneKept } from './support/backbone-kept.ts';
import { backboneState } from './support/backbone-state.ts';

/** What every backbone owes its node, whatever keeps the messages. Runners beside this file hand in an adapter each. */
export function backboneContract(factory: BackboneFactory): void {
  backboneLog(factory);
  backboneState(factory);
  if (factory.reopen !== undefined) backboneKept(factory, factory.reopen);
}

/** The log, and who has a client in the cluster. */
function backboneLog(factory: BackboneFactory): void {
  const test = suite(`contract/backbone ${factory.name}`);
  const on = new BackboneFixture();
  test.before.each(() => on.begin(factory.create()));
  test.after.each(() => on.end());

  test('is ready once started', () => {
    assert.is(on.backbone.notReady(), undefined);
  });

  test('appended messages come by the tail in the order of appending, then are acknowledged in it', async () => {
    const order = await on.append(message('a', '1'), message('b', '2'), message('a', '3'));
    assert.equal(order, ['appended 0', 'appended 1', 'appended 2']);
    assert.equal(on.tailed.map(textOf), ['1', '2', '3']);
  });

  test('sequences ascend from 1 on; first and next enclose what is kept', async () => {
    const first = on.log.first(0);
    const next = on.log.next(0);
    assert.is(first, next, 'an empty log');
    await on.append(message('a', '1'), message('a', '2'));
    const sequences = on.tailed.map((each) => each.sequence);
    assert.ok((sequences[0] ?? 0) >= Math.max(1, next));
    assert.ok((sequences[1] ?? 0) > (sequences[0] ?? 0));
    assert.ok(on.log.next(0) > (sequences[1] ?? 0));
    assert.ok((on.nextAtTail[0] ?? Infinity) <= (sequences[0] ?? 0), 'next moves on after the tail has had the batch');
  });

  test('a message is given bytes of its own during append', async () => {
    const chunk = Buffer.from('payload');
    const borrowed = new Message('a', chunk, 0, 7, 1, false, undefined, { clientId: 'c', protocol: 'mqtt' }, 1);
    const appended = on.append(borrowed);
    chunk.fill(0);
    await appended;
    assert.equal(on.tailed.map(textOf), ['payload']);
  });

  test('read gives everything back as it was, in order, in portions', async () => {
    const properties: Properties = {
      contentType: 'text/plain',
      textPayload: true,
      responseTopic: 'r/s',
      correlation: Uint8Array.of(0, 255),
      expiresAt: 1_700_000_000_000,
      user: [
        ['a', '1'],
        ['a', ''],
      ],
      messageId: 'm',
    };
    await on.append(
      ...Array.from({ length: 25 }, (_, i) => message(`t/${i}`, `p${i}`, i === 7 ? properties : undefined)),
    );
    const all: Message[] = [];
    let from = on.log.first(0);
    while (from < on.log.next(0)) {
      const { messages, next } = await on.read(from, 10);
      assert.ok(messages.length <= 10 && next > from);
      all.push(...messages);
      from = next;
    }
    assert.equal(
      all.map((each) => [each.topic, textOf(each)]),
      Array.from({ length: 25 }, (_, i) => [`t/${i}`, `p${i}`]),
    );
    const { correlation, ...rest } = all[7]?.properties ?? {};
    const { correlation: expected, ...others } = properties;
    assert.equal(rest, others);
    assert.equal([...(correlation ?? [])], [...(expected ?? [])]);
    assert.equal(
      all.map((each) => each.sequence),
      on.tailed.map((each) => each.sequence),
    );
  });

  test('read stops once the bytes asked for are there', async () => {
    await on.append(...Array.from({ length: 10 }, () => message('a', 'x'.repeat(100))));
    const { messages, next } = await on.read(on.log.first(0), 10, 250);
    assert.is(messages.length, 3);
    assert.is(next, (messages[2]?.sequence ?? 0) + 1);
  });

  test('read at the end is empty', async () => {
    await on.append(message('a', '1'));
    const { messages, next } = await on.read(on.log.next(0), 10);
    assert.equal(messages, []);
    assert.is(next, on.log.next(0));
  });

  test('read with filters brings every message they match, in order', async () => {
    const topics = ['a/b', 'a/c', 'x', 'a', 'a/b/c', '$a/b', 'ä/ /b'];
    await on.append(...Array.from({ length: 70 }, (_, i) => message(topics[i % topics.length] ?? '', `${i}`)));
    for (const filters of [
      ['a/b'],
      ['a/#'],
      ['+/b', 'x'],
      ['a/b', 'a/+', '#'],
      ['#/b'],
      ['nothing'],
      ['ä/ /b', '+/ /#'],
    ]) {
      const wanted = (topic: string): boolean => filters.some((filter) => matches(filter, topic));
      const all: Message[] = [];
      let from = on.log.first(0);
      while (from < on.log.next(0)) {
        const { messages, next } = await on.read(from, 7, 1024 * 1024, filters);
        assert.ok(next > from, 'a read gets on');
        all.push(...messages);
        from = next;
      }
      assert.equal(
        all.filter((each) => wanted(each.topic)).map(textOf),
        on.tailed.filter((each) => wanted(each.topic)).map(textOf),
        filters.join(' '),
      );
    }
  });

  test('a message with the id of an earlier one is acknowledged, and not taken in', async () => {
    const named = (payload: string, id: string): Message => {
      const each = message('a', payload);
      each.dedupId = id;
      return each;
    };
    const nobody: AppendReceiver = { appended() {}, refused() {} };
    on.log.append(named('1', 'x'), nobody, 0);
    const acknowledged = new Promise<void>((resolve, reject) => {
      on.log.append(named('again', 'x'), { appended: () => resolve(), refused: (_, error) => reject(error) }, 0);
    });
    await acknowledged;
    await on.append(named('2', 'y'), message('a', '3'));
    assert.equal(on.tailed.map(textOf), ['1', '2', '3']);
  });

  test('what is appended in one turn is acknowledged without waiting for the next', async () => {
    const many = await on.append(...Array.from({ length: 5000 }, (_, i) => message('a', `${i}`)));
    assert.is(many.length, 5000);
  });

  test('cluster: this node is alive, another one is not; a client can be claimed, released and claimed', async () => {
    const { cluster } = on.backbone;
    assert.ok(cluster.node.length > 0 && cluster.alive(cluster.node) && !cluster.alive('another'));
    for (const clientId of ['c', 'ü/+.*> $', 'c']) {
      await cluster.claim(clientId);
      cluster.release(clientId);
    }
  });

  test.run();
}
