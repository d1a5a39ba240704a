import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../support/eventually.ts';
import { StompClients } from './support/stomp-clients.ts';

/** The npm package `stompit`, a STOMP client for Node, over TCP. */

const test = suite('stompit over TCP');
const clients = new StompClients(test);

test('connects, and disconnects with a receipt', async () => {
  const client = await clients.stompit();
  assert.is(client.client.headers.version, '1.2');
  await client.end();
});

for (const version of ['1.0', '1.1', '1.2']) {
  test(`a topic, by ${version}`, async () => {
    const [sender, receiver] = [
      await clients.stompit({ 'accept-version': version }),
      await clients.stompit({ 'accept-version': version }),
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
  const [sender, first] = [await clients.stompit(), await clients.stompit()];
  await first.subscribe('/queue/work', { ack: 'client-individual' });
  for (const body of ['1', '2', '3']) await sender.send('/queue/work', body);
  const taken = [await first.next(), await first.next(), await first.next()];
  await first.receipt((onReceipt) => taken[1] && first.client.ack(taken[1].message, {}, { onReceipt }));
  first.client.destroy();
  const second = await clients.stompit();
  await second.subscribe('/queue/work');
  const again = [(await second.next()).body, (await second.next()).body];
  assert.equal(again.sort(), ['1', '3']);
  assert.equal(await second.flush(), []);
});

test('NACK gives a message of a queue back', async () => {
  const client = await clients.stompit();
  await client.subscribe('/queue/returned', { ack: 'client-individual' });
  await client.send('/queue/returned', 'try');
  const { message } = await client.next();
  await client.receipt((onReceipt) => client.client.nack(message, {}, { onReceipt }));
  const again = await client.next();
  assert.equal([again.body, again.message.headers.redelivered], ['try', 'true']);
  await client.receipt((onReceipt) => client.client.ack(again.message, {}, { onReceipt }));
});

test('a transaction: nothing before COMMIT, all after it, nothing after ABORT', async () => {
  const [sender, receiver] = [await clients.stompit(), await clients.stompit()];
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
  const client = await clients.stompit({ 'heart-beat': '1000,1000' });
  let failure: unknown;
  client.client.on('error', (error) => {
    failure = error;
  });
  await eventually('three heart-beats', () => client.heartBeats >= 3, 8000);
  // More than twice the interval: had either side missed the other's, it would have ended the connection.
  assert.is(failure, undefined);
  assert.equal(await client.flush(), []);
});

test('talks with @stomp/stompjs: topics and a queue, both ways', async () => {
  const [tcp, web] = [await clients.stompit(), await clients.stompJs()];
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
