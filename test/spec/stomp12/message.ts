import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ALL, consuming } from '../stomp/support/clauses.ts';
import { Harness } from '../stomp/support/harness.ts';

/** MESSAGE. Its body's length and type are in `frames`; what else it says of a message is in `../stomp/messages`. */

const test = suite('STOMP 1.2 MESSAGE');

for (const version of ALL) {
  test(`STOMP ${version}, MESSAGE: destination, message-id, subscription, and the body`, async () => {
    for (const destination of ['/topic/a.b', '/queue/a.b']) {
      for (const body of ['', 'é', 'a\0b\0', 'x'.repeat(300), 'x'.repeat(20_000)]) {
        const harness = Harness.open();
        const client = harness.connect(version);
        client.send('SUBSCRIBE', ['id:sub', `destination:${destination}`]);
        await client.turn();
        const lines = [`destination:${destination}`, `content-length:${Buffer.byteLength(body)}`];
        client.send('SEND', [...lines, 'content-type:text/plain'], body);
        const [frame] = await client.later();
        assert.is(frame?.command, 'MESSAGE');
        assert.is(String(frame?.body), body);
        assert.is(frame?.headers.destination, destination, 'identical to the one in SEND');
        assert.is(frame?.headers.subscription, 'sub');
        assert.ok(frame?.headers['message-id']);
        assert.is(frame?.headers['content-length'], `${Buffer.byteLength(body)}`);
        assert.is(frame?.headers['content-type'], 'text/plain');
      }
    }
  });

  test(`STOMP ${version}, MESSAGE: with wildcards, the destination is the one the message was sent to`, () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a.#']);
    for (const topic of ['a/b', 'a']) harness.publish(topic, 'x');
    assert.equal(
      client.frames().map(({ headers }) => headers.destination),
      ['/topic/a.b', '/topic/a'],
    );
  });

  test(`STOMP ${version}, MESSAGE: message-id is unique, in all subscriptions and connections`, async () => {
    const harness = Harness.open();
    const ids: (string | undefined)[] = [];
    for (let i = 0; i < 2; i++) {
      const client = harness.connect(version);
      for (const id of [1, 2]) client.send('SUBSCRIBE', [`id:${id}`, 'destination:/topic/a']);
      for (let j = 0; j < 12; j++) harness.publish('a', 'x');
      ids.push(...client.frames().map(({ headers }) => headers['message-id']));
      client.drop();
    }
    assert.is(ids.length, 48);
    assert.is(new Set(ids).size, 48);
  });

  test(`STOMP ${version}, MESSAGE: redelivered, it has an id of its own, as an ACK for the earlier one is late`, async () => {
    const { harness, client, messages } = await consuming(version, ['ack:client'], 'x');
    client.drop();
    const other = harness.connect(version);
    other.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client']);
    const [again] = await other.later();
    assert.is(again?.headers.redelivered, 'true');
    assert.not(again?.headers['message-id'] === messages[0]?.headers['message-id']);
  });

  test(`STOMP ${version}, MESSAGE: subscription is the id as it was written`, () => {
    const id = { '1.0': 'a:b\\', '1.1': 'a\\cb\\\\\\né\rx', '1.2': 'a\\cb\\\\\\n\\ré' }[version];
    const harness = Harness.open();
    const client = harness.connect(version);
    client.send('SUBSCRIBE', [`id:${id}`, 'destination:/topic/a']);
    harness.publish('a', 'x');
    assert.is(client.frame().headers.subscription, id);
  });

  test(`STOMP ${version}, MESSAGE: a header ack where an acknowledgement is expected, since 1.2`, async () => {
    for (const mode of ['auto', 'client', 'client-individual']) {
      for (const destination of ['/topic/a', '/queue/a']) {
        const harness = Harness.open();
        const client = harness.connect(version);
        client.send('SUBSCRIBE', ['id:1', `destination:${destination}`, `ack:${mode}`]);
        await client.turn();
        client.send('SEND', [`destination:${destination}`], 'x');
        const [message] = await client.later();
        assert.is(message?.headers.ack !== undefined, version === '1.2' && mode !== 'auto', `${mode} ${destination}`);
      }
    }
  });

  test(`STOMP ${version}, MESSAGE: user defined headers cannot pass for the server's own`, () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'ack:client']);
    client.send('SEND', ['destination:/topic/a', 'subscription:forged', 'ack:forged', 'redelivered:true'], 'x');
    const { headers, lines } = client.frame();
    assert.is(headers.subscription, '1');
    assert.not(headers.ack === 'forged');
    assert.is(headers.redelivered, undefined);
    for (const line of ['user.subscription:forged', 'user.ack:forged', 'user.redelivered:true'])
      assert.ok(lines.includes(line), `${line}, so that it is not lost`);
  });
}

test.run();
