import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { StompClients } from './support/stomp-clients.ts';
import { stompSteps } from './support/stomp-steps.ts';
import { stompJs } from './support/stompjs-peer.ts';
import { within } from './support/within.ts';

/** The npm package `@stomp/stompjs`, the STOMP client most used in browsers, over WebSocket. */

stompSteps(stompJs);

const test = suite('@stomp/stompjs 7, its own ways');
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
