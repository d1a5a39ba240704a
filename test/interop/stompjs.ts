import { type IMessage, type StompConfig, Versions } from '@stomp/stompjs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { eventually } from '../support/eventually.ts';
import { StompClients } from './support/stomp-clients.ts';
import { within } from './support/within.ts';

/** The npm package `@stomp/stompjs`, the STOMP client most used in browsers, over WebSocket. */

for (const version of ['1.0', '1.1', '1.2']) {
  const test = suite(`@stomp/stompjs ${version} over WebSocket`);
  const clients = new StompClients(test);
  const only: StompConfig = { stompVersions: new Versions([version]) };

  test('connects by that version, and disconnects', async () => {
    const client = await clients.stompJs(only);
    assert.is(client.client.connectedVersion, version);
    await client.end();
    assert.is(client.client.connected, false);
  });

  test('a topic: headers and body', async () => {
    const [sender, receiver] = [await clients.stompJs(only), await clients.stompJs(only)];
    await receiver.subscribe('/topic/rooms.*.temperature');
    await sender.send('/topic/rooms.kitchen.temperature', '21 °C', { 'content-type': 'text/plain', unit: 'celsius' });
    const { headers, body } = await receiver.next();
    assert.is(body, '21 °C');
    assert.is(headers.destination, '/topic/rooms.kitchen.temperature');
    assert.is(headers['content-type'], 'text/plain');
    assert.is(headers.unit, 'celsius');
  });

  test('UNSUBSCRIBE ends it', async () => {
    const client = await clients.stompJs(only);
    const end = await client.subscribe('/topic/news');
    await client.send('/topic/news', 'first');
    assert.is((await client.next()).body, 'first');
    await end();
    await client.send('/topic/news', 'second');
    assert.equal(await client.flush(), []);
  });

  test('ack client-individual: what is acknowledged stays so, the rest goes to the next consumer', async () => {
    const [sender, first] = [await clients.stompJs(only), await clients.stompJs(only)];
    const queue = `/queue/orders-${version}`;
    await first.subscribe(queue, { ack: 'client-individual' });
    for (const body of ['1', '2', '3']) await sender.send(queue, body);
    const taken: IMessage[] = [];
    for (let i = 0; i < 3; i++) taken.push(await first.next());
    assert.equal(
      taken.map(({ body }) => body),
      ['1', '2', '3'],
    );
    await first.settle((headers) => taken[1]?.ack(headers));
    first.destroy();
    const second = await clients.stompJs(only);
    await second.subscribe(queue, { ack: 'client-individual' });
    const again = [await second.next(), await second.next()];
    assert.equal(again.map(({ body }) => body).sort(), ['1', '3']);
    for (const message of again) await second.settle((headers) => message.ack(headers));
    assert.equal(await second.flush(), []);
  });

  test('ack client: acknowledges all before it', async () => {
    const [sender, first] = [await clients.stompJs(only), await clients.stompJs(only)];
    const queue = `/queue/cumulative-${version}`;
    await first.subscribe(queue, { ack: 'client' });
    for (const body of ['1', '2', '3']) await sender.send(queue, body);
    await first.next();
    const second = await first.next();
    await first.next();
    await first.settle((headers) => second.ack(headers));
    first.destroy();
    const later = await clients.stompJs(only);
    await later.subscribe(queue);
    assert.is((await later.next()).body, '3');
    assert.equal(await later.flush(), []);
  });

  test('a transaction: nothing before COMMIT, all after it, nothing after ABORT', async () => {
    const [sender, receiver] = [await clients.stompJs(only), await clients.stompJs(only)];
    await receiver.subscribe('/topic/ledger');
    for (const [name, commits] of [
      ['dropped', false],
      ['kept', true],
    ] as const) {
      const transaction = sender.client.begin(name);
      for (const part of ['debit', 'credit']) {
        await sender.send('/topic/ledger', `${name} ${part}`, { transaction: transaction.id });
      }
      assert.equal(await receiver.flush(), []);
      if (commits) transaction.commit();
      else transaction.abort();
    }
    assert.is((await receiver.next()).body, 'kept debit');
    assert.is((await receiver.next()).body, 'kept credit');
    assert.equal(await receiver.flush(), []);
  });

  test('what is wrong is an ERROR that says so, and the end of the connection', async () => {
    const client = await clients.stompJs(only);
    const refusal = client.refusal();
    client.client.publish({ destination: 'nowhere', body: 'x' });
    assert.match(await refusal, /destination/);
    await eventually('the connection ends', () => !client.client.connected);
  });

  if (version !== '1.0') {
    test('NACK gives a message of a queue back', async () => {
      const client = await clients.stompJs(only);
      const queue = `/queue/returned-${version}`;
      await client.subscribe(queue, { ack: 'client-individual' });
      await client.send(queue, 'try');
      const message = await client.next();
      assert.is(message.headers.redelivered, undefined);
      await client.settle((headers) => message.nack(headers));
      const again = await client.next();
      assert.equal([again.body, again.headers.redelivered], ['try', 'true']);
      await client.settle((headers) => again.ack(headers));
    });

    test('heart-beats go both ways', async () => {
      const client = await clients.stompJs({ ...only, heartbeatIncoming: 1000, heartbeatOutgoing: 1000 });
      await eventually('three heart-beats', () => client.heartBeats >= 3, 8000);
      // More than twice the interval: had the broker missed the client's, it would have ended the connection.
      assert.ok(client.client.connected);
      assert.equal(await client.flush(), []);
    });
  }

  test.run();
}

{
  const test = suite('@stomp/stompjs, whatever the version');
  const clients = new StompClients(test);

  test('the highest version that both know', async () => {
    assert.is((await clients.stompJs()).client.connectedVersion, '1.2');
  });

  // With 1.2 only: the library neither writes nor reads the escapes of 1.1.
  test('header values with line ends and colons', async () => {
    const client = await clients.stompJs();
    await client.subscribe('/topic/escapes');
    const value = 'a:b\nc\\d\r';
    await client.send('/topic/escapes', 'x', { odd: value });
    assert.is((await client.next()).headers.odd, value);
  });

  test('bytes that are no text, and frames in many WebSocket messages', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const client = await clients.stompJs({ splitLargeFrames: true });
    await client.subscribe('/topic/bytes');
    await client.send('/topic/bytes', bytes);
    assert.equal([...(await client.next()).binaryBody], [...bytes]);
    const large = 'ü '.repeat(100_000);
    await client.send('/topic/bytes', large);
    assert.ok((await client.next()).body === large);
  });

  test('forceBinaryWSFrames: binary messages, both ways', async () => {
    const client = await clients.stompJs({ forceBinaryWSFrames: true });
    const kinds = new Set<string>();
    const { webSocket } = client.client;
    if (!(webSocket instanceof WebSocket)) throw new Error('not the WebSocket that the test gave it');
    webSocket.on('message', (_, binary) => kinds.add(binary ? 'binary' : 'text'));
    await client.subscribe('/topic/binary');
    await client.send('/topic/binary', 'é☕');
    assert.is((await client.next()).body, 'é☕');
    assert.equal([...kinds], ['binary']);
    await client.end();
  });

  test('a message of a queue goes to one consumer', async () => {
    const [sender, ...consumers] = [await clients.stompJs(), await clients.stompJs(), await clients.stompJs()];
    for (const each of consumers) await each.subscribe('/queue/shared');
    const bodies = Array.from({ length: 100 }, (_, i) => String(i));
    await Promise.all(bodies.map((body) => sender.send('/queue/shared', body)));
    const seen = await Promise.all(consumers.map((each) => each.flush()));
    assert.equal(seen.flat().sort(), [...bodies].sort());
    assert.ok(
      seen.every((each) => each.length > 0),
      'both got some',
    );
  });

  test('an ACK within a transaction counts with its COMMIT', async () => {
    const [sender, first] = [await clients.stompJs(), await clients.stompJs()];
    const queue = '/queue/in-transaction';
    await first.subscribe(queue, { ack: 'client-individual' });
    for (const body of ['1', '2']) await sender.send(queue, body);
    const [one, two] = [await first.next(), await first.next()];
    const kept = first.client.begin();
    one.ack({ transaction: kept.id });
    kept.commit();
    const dropped = first.client.begin();
    two.ack({ transaction: dropped.id });
    dropped.abort();
    await first.flush();
    first.destroy();
    const second = await clients.stompJs();
    await second.subscribe(queue);
    assert.is((await second.next()).body, '2');
    assert.equal(await second.flush(), []);
  });

  test('it reconnects by itself', async () => {
    const client = await clients.stompJs({ reconnectDelay: 50 });
    const again = new Promise<void>((resolve) => {
      client.client.onConnect = () => resolve();
    });
    client.client.forceDisconnect();
    await within('CONNECTED again', again);
    await client.subscribe('/topic/again');
    await client.send('/topic/again', 'here');
    assert.is((await client.next()).body, 'here');
    await client.end();
  });

  test.run();
}
