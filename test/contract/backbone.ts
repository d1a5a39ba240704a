import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BrokerError } from '../../src/core/errors.ts';
import { matches } from '../../src/core/filter.ts';
import { Message, type Properties } from '../../src/core/message.ts';
import type { AppendReceiver, Backbone, BackboneReceiver, Entry } from '../../src/ports/backbone.ts';

/** What every backbone owes its node, whatever keeps the messages. Runners beside this file hand in an adapter each. */

export interface BackboneFactory {
  readonly name: string;
  /** On an empty store, not started. */
  create(): Promise<Backbone> | Backbone;
  /** On the store of the one created last, which has been stopped; left out where nothing outlives it. */
  reopen?(): Promise<Backbone> | Backbone;
}

class Node implements BackboneReceiver {
  readonly tailed: Message[] = [];
  /** Positions the log claimed as given when a batch came. */
  readonly nextAtTail: number[] = [];
  backbone: Backbone | undefined;

  live(): void {}
  unheard(): void {}
  liveShared(): void {}

  tail(messages: readonly Message[]): void {
    this.nextAtTail.push(this.backbone?.log.next(messages[0]?.shard ?? 0) ?? 0);
    this.tailed.push(...messages);
  }
}

function message(topic: string, payload: string, properties?: Properties): Message {
  // Borrowed bytes in a larger chunk, as they come from a socket.
  const chunk = Buffer.from(`__${payload}__`);
  return new Message(
    topic,
    chunk,
    2,
    2 + Buffer.byteLength(payload),
    1,
    false,
    properties,
    { clientId: 'c', protocol: 'mqtt' },
    1,
  );
}

const text = (each: Message): string => Buffer.from(each.payload()).toString();

export function backboneContract({ name, create, reopen }: BackboneFactory): void {
  const test = suite(`contract/backbone ${name}`);
  let backbone: Backbone;
  let node: Node;

  test.before.each(async () => {
    backbone = await create();
    node = new Node();
    node.backbone = backbone;
    await backbone.start(node);
  });
  test.after.each(() => backbone.stop());

  function append(...messages: Message[]): Promise<string[]> {
    return new Promise((resolve) => {
      const order: string[] = [];
      for (const [token, each] of messages.entries()) {
        backbone.log.append(
          each,
          {
            appended(got, stored) {
              assert.is(got, token);
              assert.ok(node.tailed.includes(stored), 'acknowledged after it was given to the tail');
              order.push(`appended ${got}`);
              if (order.length === messages.length) resolve(order);
            },
            refused(got, error) {
              order.push(`refused ${got} ${error.message}`);
              if (order.length === messages.length) resolve(order);
            },
          },
          token,
        );
      }
      assert.equal(order, [], 'never during the call');
    });
  }

  function read(
    from: number,
    count: number,
    bytes = 1024 * 1024,
    filters?: readonly string[],
  ): Promise<{ messages: readonly Message[]; next: number }> {
    return new Promise((resolve, reject) => {
      let returned = false;
      backbone.log.read(0, from, filters, count, bytes, {
        batch(_shard, messages, next) {
          assert.ok(returned, 'never during the call');
          resolve({ messages, next });
        },
        failed: (error: BrokerError) => reject(error),
      });
      returned = true;
    });
  }

  test('is ready once started', () => {
    assert.is(backbone.notReady(), undefined);
  });

  test('appended messages come by the tail in the order of appending, then are acknowledged in it', async () => {
    const order = await append(message('a', '1'), message('b', '2'), message('a', '3'));
    assert.equal(order, ['appended 0', 'appended 1', 'appended 2']);
    assert.equal(node.tailed.map(text), ['1', '2', '3']);
  });

  test('sequences ascend from 1 on; first and next enclose what is kept', async () => {
    const first = backbone.log.first(0);
    const next = backbone.log.next(0);
    assert.is(first, next, 'an empty log');
    await append(message('a', '1'), message('a', '2'));
    const sequences = node.tailed.map((each) => each.sequence);
    assert.ok((sequences[0] ?? 0) >= Math.max(1, next));
    assert.ok((sequences[1] ?? 0) > (sequences[0] ?? 0));
    assert.ok(backbone.log.next(0) > (sequences[1] ?? 0));
    assert.ok(
      (node.nextAtTail[0] ?? Infinity) <= (sequences[0] ?? 0),
      'next moves on after the tail has had the batch',
    );
  });

  test('a message is given bytes of its own during append', async () => {
    const chunk = Buffer.from('payload');
    const borrowed = new Message('a', chunk, 0, 7, 1, false, undefined, { clientId: 'c', protocol: 'mqtt' }, 1);
    const appended = append(borrowed);
    chunk.fill(0);
    await appended;
    assert.equal(node.tailed.map(text), ['payload']);
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
    await append(...Array.from({ length: 25 }, (_, i) => message(`t/${i}`, `p${i}`, i === 7 ? properties : undefined)));
    const all: Message[] = [];
    let from = backbone.log.first(0);
    while (from < backbone.log.next(0)) {
      const { messages, next } = await read(from, 10);
      assert.ok(messages.length <= 10 && next > from);
      all.push(...messages);
      from = next;
    }
    assert.equal(
      all.map((each) => [each.topic, text(each)]),
      Array.from({ length: 25 }, (_, i) => [`t/${i}`, `p${i}`]),
    );
    const { correlation, ...rest } = all[7]?.properties ?? {};
    const { correlation: expected, ...others } = properties;
    assert.equal(rest, others);
    assert.equal([...(correlation ?? [])], [...(expected ?? [])]);
    assert.equal(
      all.map((each) => each.sequence),
      node.tailed.map((each) => each.sequence),
    );
  });

  test('read stops once the bytes asked for are there', async () => {
    await append(...Array.from({ length: 10 }, () => message('a', 'x'.repeat(100))));
    const { messages, next } = await read(backbone.log.first(0), 10, 250);
    assert.is(messages.length, 3);
    assert.is(next, (messages[2]?.sequence ?? 0) + 1);
  });

  test('read at the end is empty', async () => {
    await append(message('a', '1'));
    const { messages, next } = await read(backbone.log.next(0), 10);
    assert.equal(messages, []);
    assert.is(next, backbone.log.next(0));
  });

  test('read with filters brings every message they match, in order', async () => {
    const topics = ['a/b', 'a/c', 'x', 'a', 'a/b/c', '$a/b', 'ä/ /b'];
    await append(...Array.from({ length: 70 }, (_, i) => message(topics[i % topics.length] ?? '', `${i}`)));
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
      let from = backbone.log.first(0);
      while (from < backbone.log.next(0)) {
        const { messages, next } = await read(from, 7, 1024 * 1024, filters);
        assert.ok(next > from, 'a read gets on');
        all.push(...messages);
        from = next;
      }
      assert.equal(
        all.filter((each) => wanted(each.topic)).map(text),
        node.tailed.filter((each) => wanted(each.topic)).map(text),
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
    backbone.log.append(named('1', 'x'), nobody, 0);
    const acknowledged = new Promise<void>((resolve, reject) => {
      backbone.log.append(named('again', 'x'), { appended: () => resolve(), refused: (_, error) => reject(error) }, 0);
    });
    await acknowledged;
    await append(named('2', 'y'), message('a', '3'));
    assert.equal(node.tailed.map(text), ['1', '2', '3']);
  });

  // --- state --------------------------------------------------------------------------------------------------------

  const bytes = (value: string): Buffer => Buffer.from(value);
  const value = (entry: Entry | undefined): string | undefined => entry && Buffer.from(entry.value).toString();

  test('state: what was put is there, under any key, until it is removed', async () => {
    const { state } = backbone;
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
    for (const key of keys) assert.is(value(await state.get('sessions', key)), `of ${key}`);
    assert.is(await state.get('wills', 'a'), undefined, 'buckets are apart');
    const found = new Map<string, string | undefined>();
    await state.scan('sessions', (key, entry) => found.set(key, value(entry)));
    assert.equal([...found].sort(), keys.map((key) => [key, `of ${key}`]).sort());
    for (const key of keys) await state.remove('sessions', key);
    for (const key of keys) assert.is(await state.get('sessions', key), undefined);
    await state.scan('sessions', (key) => assert.unreachable(`${key} is still there`));
  });

  test('state: values are bytes, of some size, and the last one counts', async () => {
    const { state } = backbone;
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

  test('state: a put or a remove that expects something else does nothing', async () => {
    const { state } = backbone;
    const first = await state.put('sessions', 'k', bytes('1'), 0);
    assert.type(first, 'number');
    assert.is(await state.put('sessions', 'k', bytes('2'), 0), undefined);
    assert.is(await state.put('sessions', 'k', bytes('2'), (first ?? 0) + 1000), undefined);
    assert.is(await state.remove('sessions', 'k', 0), undefined);
    assert.is(value(await state.get('sessions', 'k')), '1');
    const second = await state.put('sessions', 'k', bytes('2'), first);
    assert.type(second, 'number');
    assert.is(value(await state.get('sessions', 'k')), '2');
    assert.type(await state.remove('sessions', 'k', second), 'number');
    assert.is(await state.get('sessions', 'k'), undefined);
    assert.type(await state.put('sessions', 'k', bytes('3'), 0), 'number', 'as if it had never been');
  });

  test('state: of those that expect the same, one wins', async () => {
    const { state } = backbone;
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) => state.put('wills', 'race', bytes(`${i}`), 0)),
    );
    const winners = [...results.entries()].filter(([, revision]) => revision !== undefined).map(([i]) => `${i}`);
    assert.is(winners.length, 1);
    assert.is(value(await state.get('wills', 'race')), winners[0]);
  });

  // --- what outlives a stop ---------------------------------------------------------------------------------------

  if (reopen !== undefined) {
    const restart = async (): Promise<void> => {
      await backbone.stop();
      backbone = await reopen();
      node = new Node();
      node.backbone = backbone;
      await backbone.start(node);
    };

    test('after a stop and a start: the log, read as before; positions go on', async () => {
      const { node: name } = backbone.cluster;
      await append(...Array.from({ length: 300 }, (_, i) => message(`t/${i % 3}`, `${i}`)));
      const next = backbone.log.next(0);
      const first = backbone.log.first(0);
      await restart();
      assert.is.not(backbone.cluster.node, name);
      assert.ok(!backbone.cluster.alive(name), 'the earlier run is gone');
      assert.is(backbone.log.next(0), next);
      assert.is(backbone.log.first(0), first);
      assert.equal(node.tailed, [], 'the tail is what comes from now on');
      await append(message('t/1', 'later'));
      assert.ok((node.tailed[0]?.sequence ?? 0) >= next);
      const all: Message[] = [];
      for (let from = first; from < backbone.log.next(0); ) {
        const { messages, next: on } = await read(from, 50, 1024 * 1024, ['t/1']);
        all.push(...messages.filter((each) => each.topic === 't/1'));
        from = on;
      }
      const expected = Array.from({ length: 100 }, (_, i) => `${i * 3 + 1}`);
      assert.equal(all.map(text), [...expected, 'later']);
    });

    test('after a stop and a start: the state, whose revisions go on', async () => {
      const revision = await backbone.state.put('sessions', 'k/ä', bytes('1'));
      await backbone.state.put('sessions', 'gone', bytes('1'));
      await backbone.state.remove('sessions', 'gone');
      await restart();
      const entry = await backbone.state.get('sessions', 'k/ä');
      assert.is(value(entry), '1');
      assert.is(entry?.revision, revision);
      assert.is(await backbone.state.get('sessions', 'gone'), undefined);
      const second = await backbone.state.put('sessions', 'k/ä', bytes('2'), revision);
      assert.ok((second ?? 0) > (revision ?? 0));
    });

    test('after a stop and a start: ids of messages are still known', async () => {
      const named = message('a', '1');
      named.dedupId = 'x';
      await append(named);
      await restart();
      const again = message('a', 'again');
      again.dedupId = 'x';
      await new Promise<void>((resolve, reject) => {
        backbone.log.append(again, { appended: () => resolve(), refused: (_, error) => reject(error) }, 0);
      });
      assert.equal(node.tailed, []);
    });

    test('what is put before a message is appended is there when the message is acknowledged', async () => {
      void backbone.state.put('sessions', 'before', bytes('1'));
      await append(message('a', '1'));
      await restart();
      assert.is(value(await backbone.state.get('sessions', 'before')), '1');
    });
  }

  // --- cluster ------------------------------------------------------------------------------------------------------

  test('cluster: this node is alive, another one is not; a client can be claimed, released and claimed', async () => {
    const { cluster } = backbone;
    assert.ok(cluster.node.length > 0 && cluster.alive(cluster.node) && !cluster.alive('another'));
    for (const clientId of ['c', 'ü/+.*> $', 'c']) {
      await cluster.claim(clientId);
      cluster.release(clientId);
    }
  });

  test('what is appended in one turn is acknowledged without waiting for the next', async () => {
    const many = await append(...Array.from({ length: 5000 }, (_, i) => message('a', `${i}`)));
    assert.is(many.length, 5000);
  });

  test.run();
}
