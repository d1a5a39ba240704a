import { type IMessage, type StompConfig, Versions } from '@stomp/stompjs';
import stompit, { type Headers, type Message, type Client as StompitClient } from 'stompit';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Address } from '../../src/broker.ts';
import { startBroker, type TestBroker } from '../support/broker.ts';
import { eventually } from '../support/eventually.ts';
import { Inbox } from '../support/inbox.ts';
import { StompJs } from './support/stompjs.ts';
import { within } from './support/within.ts';

/** The STOMP libraries of npm that most applications use: one over WebSocket, one over TCP. */

let server: TestBroker;
const openings: { destroy(): void }[] = [];

async function stompJs(config?: StompConfig): Promise<StompJs> {
  const client = await StompJs.connect(server.http, config);
  openings.push(client);
  return client;
}

interface Received {
  readonly message: Message;
  readonly body: string;
}

/** The npm package `stompit` as it is. Its methods call back; those without a callback can have a receipt. */
class Stompit {
  readonly client: StompitClient;
  readonly #inbox = new Inbox<Received>();

  private constructor(client: StompitClient) {
    this.client = client;
    // It has errors that its listeners are told of, too.
    client.on('error', () => {});
  }

  static async connect(address: Address, connectHeaders: Headers = {}): Promise<Stompit> {
    const connected = new Promise<StompitClient>((resolve, reject) => {
      stompit.connect({ ...address, timeout: 5000, connectHeaders }, (error, client) => {
        if (error === null) resolve(client);
        else reject(error);
      });
    });
    const made = new Stompit(await within('CONNECTED', connected));
    openings.push({ destroy: () => made.client.destroy() });
    return made;
  }

  /** Resolves when the broker has answered what `act` sends with a receipt. */
  receipt(act: (onReceipt: () => void) => void): Promise<void> {
    return within('RECEIPT', new Promise<void>((resolve) => act(resolve)));
  }

  send(destination: string, body: string | Buffer, headers: Headers = {}): Promise<void> {
    return this.receipt((onReceipt) => this.client.send({ ...headers, destination }, { onReceipt }).end(body));
  }

  /** Resolves when the broker has the subscription: it takes frames in order, so a later receipt says so. */
  async subscribe(destination: string, headers: Headers = {}): Promise<() => void> {
    const subscription = this.client.subscribe({ ...headers, destination }, (error, message) => {
      if (error !== null) return;
      message.readString('utf8', (fault, body) => {
        if (fault === null) this.#inbox.push({ message, body });
      });
    });
    await this.send('/topic/nobody', '');
    return () => subscription.unsubscribe();
  }

  next(): Promise<Received> {
    return this.#inbox.next();
  }

  async flush(): Promise<string[]> {
    const mark = `/topic/flush.${Math.floor(Math.random() * 1e9)}`;
    const end = await this.subscribe(mark);
    await this.send(mark, '');
    const bodies: string[] = [];
    for (let each = await this.next(); each.message.headers.destination !== mark; each = await this.next())
      bodies.push(each.body);
    end();
    return bodies;
  }

  async end(): Promise<void> {
    const ended = new Promise<void>((resolve, reject) => {
      this.client.disconnect((error) => (error === null ? resolve() : reject(error)));
    });
    await within('the end of the connection', ended);
  }
}

function start(name: string) {
  const test = suite(name);
  test.before(async () => {
    server = await startBroker();
  });
  test.after(() => server.broker.stop());
  test.after.each(() => {
    for (const each of openings.splice(0)) each.destroy();
  });
  return test;
}

// --- @stomp/stompjs ---------------------------------------------------------------------------------------------------

for (const version of ['1.0', '1.1', '1.2']) {
  const test = start(`@stomp/stompjs ${version} over WebSocket`);
  const only: StompConfig = { stompVersions: new Versions([version]) };

  test('connects by that version, and disconnects', async () => {
    const client = await stompJs(only);
    assert.is(client.client.connectedVersion, version);
    await client.end();
    assert.is(client.client.connected, false);
  });

  test('a topic: headers and body', async () => {
    const [sender, receiver] = [await stompJs(only), await stompJs(only)];
    await receiver.subscribe('/topic/rooms.*.temperature');
    await sender.send('/topic/rooms.kitchen.temperature', '21 °C', { 'content-type': 'text/plain', unit: 'celsius' });
    const { headers, body } = await receiver.next();
    assert.is(body, '21 °C');
    assert.is(headers.destination, '/topic/rooms.kitchen.temperature');
    assert.is(headers['content-type'], 'text/plain');
    assert.is(headers.unit, 'celsius');
  });

  test('UNSUBSCRIBE ends it', async () => {
    const client = await stompJs(only);
    const end = await client.subscribe('/topic/news');
    await client.send('/topic/news', 'first');
    assert.is((await client.next()).body, 'first');
    await end();
    await client.send('/topic/news', 'second');
    assert.equal(await client.flush(), []);
  });

  test('ack client-individual: what is acknowledged stays so, the rest goes to the next consumer', async () => {
    const [sender, first] = [await stompJs(only), await stompJs(only)];
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
    const second = await stompJs(only);
    await second.subscribe(queue, { ack: 'client-individual' });
    const again = [await second.next(), await second.next()];
    assert.equal(again.map(({ body }) => body).sort(), ['1', '3']);
    for (const message of again) await second.settle((headers) => message.ack(headers));
    assert.equal(await second.flush(), []);
  });

  test('ack client: acknowledges all before it', async () => {
    const [sender, first] = [await stompJs(only), await stompJs(only)];
    const queue = `/queue/cumulative-${version}`;
    await first.subscribe(queue, { ack: 'client' });
    for (const body of ['1', '2', '3']) await sender.send(queue, body);
    await first.next();
    const second = await first.next();
    await first.next();
    await first.settle((headers) => second.ack(headers));
    first.destroy();
    const later = await stompJs(only);
    await later.subscribe(queue);
    assert.is((await later.next()).body, '3');
    assert.equal(await later.flush(), []);
  });

  test('a transaction: nothing before COMMIT, all after it, nothing after ABORT', async () => {
    const [sender, receiver] = [await stompJs(only), await stompJs(only)];
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
    const client = await stompJs(only);
    const refusal = client.refusal();
    client.client.publish({ destination: 'nowhere', body: 'x' });
    assert.match(await refusal, /destination/);
    await eventually('the connection ends', () => !client.client.connected);
  });

  if (version !== '1.0') {
    test('NACK gives a message of a queue back', async () => {
      const client = await stompJs(only);
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
      const client = await stompJs({ ...only, heartbeatIncoming: 1000, heartbeatOutgoing: 1000 });
      await eventually('three heart-beats', () => client.heartBeats >= 3, 8000);
      // More than twice the interval: had the broker missed the client's, it would have ended the connection.
      assert.ok(client.client.connected);
      assert.equal(await client.flush(), []);
    });
  }

  test.run();
}

{
  const test = start('@stomp/stompjs, whatever the version');

  test('the highest version that both know', async () => {
    assert.is((await stompJs()).client.connectedVersion, '1.2');
  });

  // With 1.2 only: the library neither writes nor reads the escapes of 1.1.
  test('header values with line ends and colons', async () => {
    const client = await stompJs();
    await client.subscribe('/topic/escapes');
    const value = 'a:b\nc\\d\r';
    await client.send('/topic/escapes', 'x', { odd: value });
    assert.is((await client.next()).headers.odd, value);
  });

  test('bytes that are no text, and frames in many WebSocket messages', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const client = await stompJs({ splitLargeFrames: true });
    await client.subscribe('/topic/bytes');
    await client.send('/topic/bytes', bytes);
    assert.equal([...(await client.next()).binaryBody], [...bytes]);
    const large = 'ü '.repeat(100_000);
    await client.send('/topic/bytes', large);
    assert.ok((await client.next()).body === large);
  });

  test('a message of a queue goes to one consumer', async () => {
    const [sender, ...consumers] = [await stompJs(), await stompJs(), await stompJs()];
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
    const [sender, first] = [await stompJs(), await stompJs()];
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
    const second = await stompJs();
    await second.subscribe(queue);
    assert.is((await second.next()).body, '2');
    assert.equal(await second.flush(), []);
  });

  test('it reconnects by itself', async () => {
    const client = await stompJs({ reconnectDelay: 50 });
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

// --- stompit ----------------------------------------------------------------------------------------------------------

{
  const test = start('stompit over TCP');
  const connect = (headers?: Headers): Promise<Stompit> => Stompit.connect(server.stomp, headers);

  test('connects, and disconnects with a receipt', async () => {
    const client = await connect();
    assert.is(client.client.headers.version, '1.2');
    await client.end();
  });

  for (const version of ['1.0', '1.1', '1.2']) {
    test(`a topic, by ${version}`, async () => {
      const [sender, receiver] = [
        await connect({ 'accept-version': version }),
        await connect({ 'accept-version': version }),
      ];
      await receiver.subscribe('/topic/rooms.*');
      await sender.send('/topic/rooms.kitchen', '21 °C', { 'content-type': 'text/plain', unit: 'celsius' });
      const { message, body } = await receiver.next();
      assert.is(body, '21 °C');
      const { destination, unit, 'content-type': type } = message.headers;
      assert.equal([destination, unit, type], ['/topic/rooms.kitchen', 'celsius', 'text/plain']);
    });
  }

  test('a queue: acknowledged stays so, the rest goes to the next consumer', async () => {
    const [sender, first] = [await connect(), await connect()];
    await first.subscribe('/queue/work', { ack: 'client-individual' });
    for (const body of ['1', '2', '3']) await sender.send('/queue/work', body);
    const taken = [await first.next(), await first.next(), await first.next()];
    await first.receipt((onReceipt) => taken[1] && first.client.ack(taken[1].message, {}, { onReceipt }));
    first.client.destroy();
    const second = await connect();
    await second.subscribe('/queue/work');
    const again = [(await second.next()).body, (await second.next()).body];
    assert.equal(again.sort(), ['1', '3']);
    assert.equal(await second.flush(), []);
  });

  test('NACK gives a message of a queue back', async () => {
    const client = await connect();
    await client.subscribe('/queue/returned', { ack: 'client-individual' });
    await client.send('/queue/returned', 'try');
    const { message } = await client.next();
    await client.receipt((onReceipt) => client.client.nack(message, {}, { onReceipt }));
    const again = await client.next();
    assert.equal([again.body, again.message.headers.redelivered], ['try', 'true']);
    await client.receipt((onReceipt) => client.client.ack(again.message, {}, { onReceipt }));
  });

  test('a transaction: nothing before COMMIT, all after it, nothing after ABORT', async () => {
    const [sender, receiver] = [await connect(), await connect()];
    await receiver.subscribe('/topic/ledger');
    const dropped = sender.client.begin();
    dropped.send({ destination: '/topic/ledger' }).end('dropped');
    await sender.receipt((onReceipt) => dropped.abort({ onReceipt }));
    const kept = sender.client.begin();
    for (const part of ['debit', 'credit']) kept.send({ destination: '/topic/ledger' }).end(part);
    await sender.send('/topic/ledger', 'before');
    assert.is((await receiver.next()).body, 'before');
    await sender.receipt((onReceipt) => kept.commit({ onReceipt }));
    assert.is((await receiver.next()).body, 'debit');
    assert.is((await receiver.next()).body, 'credit');
    assert.equal(await receiver.flush(), []);
  });

  test('heart-beats go both ways', async () => {
    const client = await connect({ 'heart-beat': '1000,1000' });
    let failure: unknown;
    client.client.on('error', (error) => {
      failure = error;
    });
    // Either side gives the other up after about twice the interval.
    await new Promise((resolve) => setTimeout(resolve, 3500));
    assert.is(failure, undefined);
    assert.equal(await client.flush(), []);
  });

  test('talks with @stomp/stompjs: topics and a queue, both ways', async () => {
    const [tcp, web] = [await connect(), await stompJs()];
    await tcp.subscribe('/topic/talk.to.tcp');
    await web.subscribe('/topic/talk.to.web');
    await tcp.send('/topic/talk.to.web', 'hello web', { from: 'tcp' });
    const atWeb = await web.next();
    assert.equal([atWeb.body, atWeb.headers.from], ['hello web', 'tcp']);
    await web.send('/topic/talk.to.tcp', 'hello tcp', { from: 'web' });
    const atTcp = await tcp.next();
    assert.equal([atTcp.body, atTcp.message.headers.from], ['hello tcp', 'web']);
    await tcp.send('/queue/talk', 'job');
    await web.subscribe('/queue/talk');
    assert.is((await web.next()).body, 'job');
  });

  test.run();
}
