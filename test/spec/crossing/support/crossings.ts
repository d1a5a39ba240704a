import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { TestBroker } from '../../../support/broker.ts';
import { RawMqtt } from '../../../support/mqtt-client.ts';
import { type NeutralClient, neutralClient, PROTOCOLS, type ProtocolName } from '../../../support/neutral.ts';
import type { Neutral } from '../../../support/neutral-forms.ts';
import type { Nodes } from './scene.ts';

/** DESIGN's message table, in every direction: each protocol to each, itself included. */
export function crossings(name: string, start: () => Promise<Nodes>): void {
  for (const from of PROTOCOLS) for (const to of PROTOCOLS) crossing(`${name} ${from} to ${to}`, from, to, start);
}

function crossing(title: string, from: ProtocolName, to: ProtocolName, start: () => Promise<Nodes>): void {
  let server: Nodes;
  let clients: NeutralClient[] = [];
  const nodeOf = (index: number): TestBroker => {
    const node = server.nodes[index % server.nodes.length];
    if (node === undefined) throw new Error('there is no node');
    return node;
  };
  const client = async (protocol: ProtocolName): Promise<NeutralClient> => {
    const connected = await neutralClient(protocol, nodeOf(clients.length));
    clients.push(connected);
    return connected;
  };
  const settled = (): Promise<void> => sleep(server.settleMilliseconds);
  const test = suite(title);
  test.before(async () => {
    server = await start();
  });
  test.after(() => server.stop());
  test.after.each(() => {
    for (const each of clients) each.close();
    clients = [];
  });

  test('topic and payload, at once and durable', async () => {
    const sender = await client(from);
    const receiver = await client(to);
    await receiver.subscribe('room/+/#');
    await settled();
    for (const durable of [false, true]) {
      await sender.publish({ topic: 'room/1/a b/ü', payload: Buffer.from('hello'), durable });
      const { topic, payload, durable: kept, retain } = await receiver.next();
      assert.equal([topic, payload.toString(), kept, retain], ['room/1/a b/ü', 'hello', durable, false]);
    }
  });

  test('exchanges: amq.direct by its key, amq.fanout whatever the key; at once, durable and retained', async () => {
    const sender = await client(from);
    const [direct, fanout, all] = [await client(to), await client(to), await client(to)];
    await direct.subscribe('$exchange/amq.direct/key');
    await fanout.subscribe('$exchange/amq.fanout/#');
    await all.subscribe('#');
    await settled();
    for (const durable of [false, true]) {
      for (const topic of ['amq.direct/other', 'amq.direct/key', 'amq.fanout/any', 'amq.fanout'])
        await sender.publish({ topic: `$exchange/${topic}`, payload: Buffer.from(topic), durable });
      assert.is((await direct.next()).topic, '$exchange/amq.direct/key');
      assert.is((await fanout.next()).topic, '$exchange/amq.fanout/any');
      const { topic, payload, durable: kept } = await fanout.next();
      assert.equal([topic, `${payload}`, kept], ['$exchange/amq.fanout', 'amq.fanout', durable]);
    }
    await sender.publish({
      topic: '$exchange/amq.direct/kept',
      payload: Buffer.from('r'),
      durable: true,
      retain: true,
    });
    await settled();
    const late = await client(to);
    await late.subscribe('$exchange/amq.direct/kept');
    const retained = await late.next();
    assert.equal([retained.topic, `${retained.payload}`, retained.retain], ['$exchange/amq.direct/kept', 'r', true]);
    await sender.publish({ topic: 'to/all', payload: Buffer.from('x') });
    assert.is((await all.next()).topic, 'to/all', 'and nothing of an exchange before it');
  });

  test('payload bytes of every value, none, and many', async () => {
    const sender = await client(from);
    const receiver = await client(to);
    await receiver.subscribe('bytes');
    await settled();
    for (const payload of [
      Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
      Buffer.alloc(0),
      Buffer.alloc(300_000, 0xc3),
      Buffer.alloc(200_000, 'text "\\ \n'),
    ]) {
      await sender.publish({ topic: 'bytes', payload });
      assert.ok((await receiver.next()).payload.equals(payload));
    }
  });

  test('content type, reply-to, correlation, expiry, id, and user headers with order and repeats', async () => {
    const sender = await client(from);
    const receiver = await client(to);
    await receiver.subscribe('all');
    await settled();
    const message: Neutral = {
      topic: 'all',
      payload: Buffer.from('x'),
      contentType: 'application/json; charset=utf-8',
      replyTo: 'answers/to/me',
      correlation: Buffer.from('c-1: ü'),
      expiresAt: Date.now() + 60_000,
      headers: [
        ['b', '2'],
        ['b', '1'],
        ['a', ''],
        ['__proto__x', 'y'],
        ['content-type', 'not the real one'],
        ['user.x', 'prefix'],
        ['multi:line', 'one\ntwo\\ three: \r'],
      ]
        .filter(([name]) => from !== 'stomp' || name !== 'content-type')
        .map(([name = '', value = '']): [string, string] =>
          from === 'stomp' && name === 'user.x' ? ['user.user.x', value] : [name, value],
        ),
      messageId: 'id-7',
      durable: true,
    };
    await sender.publish(message);
    const { expiresAt, correlation, headers, payload, ...rest } = await receiver.next();
    assert.ok(Math.abs((expiresAt ?? 0) - (message.expiresAt ?? 0)) <= 1500, 'within the second that MQTT counts in');
    assert.is(correlation?.toString(), 'c-1: ü');
    // A receiver over STOMP sees names that STOMP uses itself, and names like our mark, behind the mark.
    const seen = (message.headers ?? []).map(([name, value]): [string, string] => {
      const plain = from === 'stomp' ? name.replace(/^user\./, '') : name;
      return [
        to === 'stomp' && (plain === 'content-type' || plain.startsWith('user.')) ? `user.${plain}` : plain,
        value,
      ];
    });
    assert.equal(headers, seen);
    assert.is(payload.toString(), 'x');
    assert.equal(rest, {
      topic: 'all',
      contentType: message.contentType,
      replyTo: message.replyTo,
      messageId: 'id-7',
      durable: true,
      retain: false,
    });
  });

  test('correlation of any bytes', async () => {
    const sender = await client(from);
    const receiver = await client(to);
    await receiver.subscribe('correlation');
    await settled();
    const correlation = Buffer.from([0, 255, 10, 13, 58, 128]);
    await sender.publish({ topic: 'correlation', payload: Buffer.from('x'), correlation });
    assert.ok((await receiver.next()).correlation?.equals(correlation));
  });

  test('retained messages reach later subscribers, marked; an empty one removes them', async () => {
    const sender = await client(from);
    const receiver = await client(to);
    await sender.publish({ topic: 'kept/x', payload: Buffer.from('state'), retain: true, headers: [['a', 'b']] });
    await settled();
    await receiver.subscribe('kept/#');
    await settled();
    const message = await receiver.next();
    assert.equal([message.payload.toString(), message.retain, message.headers], ['state', true, [['a', 'b']]]);
    await sender.publish({ topic: 'kept/x', payload: Buffer.alloc(0), retain: true });
    assert.is((await receiver.next()).payload.length, 0);
    await settled();
    const later = await client(to);
    await later.subscribe('kept/#');
    await settled();
    await sender.publish({ topic: 'kept/y', payload: Buffer.from('live') });
    assert.is((await later.next()).payload.toString(), 'live');
  });

  test('a request is answered', async () => {
    const asker = await client(from);
    const answerer = await client(to);
    await answerer.subscribe('service/time');
    await settled();
    await asker.subscribe('answers/42');
    await settled();
    const correlation = Buffer.from([1, 2, 0]);
    await asker.publish({ topic: 'service/time', payload: Buffer.from('now?'), replyTo: 'answers/42', correlation });
    const request = await answerer.next();
    await answerer.publish({
      topic: request.replyTo ?? '',
      payload: Buffer.from('noon'),
      correlation: request.correlation,
    });
    const answer = await asker.next();
    assert.equal([answer.topic, answer.payload.toString()], ['answers/42', 'noon']);
    assert.ok(answer.correlation?.equals(correlation));
  });

  if (from === 'mqtt') {
    test('a will, with its properties', async () => {
      const receiver = await client(to);
      await receiver.subscribe('wills/+');
      await settled();
      const properties = { contentType: 'text/plain', userProperties: { why: 'lost' } };
      const will = {
        topic: 'wills/device',
        payload: Buffer.from('gone'),
        qos: 1 as const,
        retain: false,
        properties,
      };
      const device = await RawMqtt.connect(nodeOf(1).mqtt, { clientId: 'device', protocolVersion: 5, will });
      device.destroy();
      const { topic, payload, contentType, headers } = await receiver.next();
      assert.equal(
        [topic, payload.toString(), contentType, headers],
        ['wills/device', 'gone', 'text/plain', [['why', 'lost']]],
      );
    });
  }

  test.run();
}
