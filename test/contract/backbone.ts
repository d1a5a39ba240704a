import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BrokerError } from '../../src/core/errors.ts';
import { Message, type Properties } from '../../src/core/message.ts';
import type { Backbone, BackboneReceiver } from '../../src/ports/backbone.ts';

/** What every backbone owes its node, whatever keeps the messages. Runners beside this file hand in an adapter each. */

export interface BackboneFactory {
  readonly name: string;
  create(): Promise<Backbone> | Backbone;
}

class Node implements BackboneReceiver {
  readonly tailed: Message[] = [];
  /** Positions the log claimed as given when a batch came. */
  readonly nextAtTail: number[] = [];
  backbone: Backbone | undefined;

  live(): void {}

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

export function backboneContract({ name, create }: BackboneFactory): void {
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
  ): Promise<{ messages: readonly Message[]; next: number }> {
    return new Promise((resolve, reject) => {
      let returned = false;
      backbone.log.read(0, from, count, bytes, {
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

  test('what is appended in one turn is acknowledged without waiting for the next', async () => {
    const many = await append(...Array.from({ length: 5000 }, (_, i) => message('a', `${i}`)));
    assert.is(many.length, 5000);
  });

  test.run();
}
