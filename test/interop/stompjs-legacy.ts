import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Inbox } from '../support/inbox.ts';
import { RawStomp } from '../support/stomp-client.ts';
import type { CallbackMessage } from './support/callback-peer.ts';
import { drain, Scene, stompSteps } from './support/stomp-steps.ts';
import { connectLegacy, legacy, open } from './support/stompjs-legacy.ts';

/** The npm package `stompjs` 2.3.3, that many pages and bridges still have. It reads each WebSocket message alone, and as text. */

const overWebSocket = legacy('stompjs 2.3.3 over WebSocket', 'http');
stompSteps(overWebSocket);
stompSteps(legacy('stompjs 2.3.3 over TCP', 'stomp'));

const test = suite('stompjs 2.3.3 over WebSocket, its own ways');
const scene = new Scene(test, overWebSocket);

test('a frame of more than 16 KiB goes in several WebSocket messages, and comes in one', async () => {
  const peer = await scene.connect('1.1');
  await peer.subscribe('/topic/large');
  const large = 'wörd '.repeat(60_000);
  await Promise.all([peer.send('/topic/large', large), peer.send('/topic/large', 'behind it')]);
  assert.ok((await peer.next()).body === large);
  assert.is((await peer.next()).body, 'behind it');
});

test('a body that is no text comes in a binary message, of which it makes a character of each byte', async () => {
  const peer = await scene.connect('1.1');
  await peer.subscribe('/topic/bytes');
  const sender = await RawStomp.connect(scene.open.stomp);
  sender.send('SEND', { destination: '/topic/bytes' }, Buffer.of(0xff, 0xfe, 0x41));
  await sender.flush();
  sender.destroy();
  assert.is((await peer.next()).body, '\xff\xfeA');
});

test('without content-length, as for ActiveMQ’s text messages', async () => {
  const client = open(scene.open.http, 'http');
  const peer = await connectLegacy(client, { version: '1.1' });
  await peer.subscribe('/topic/text');
  client.send('/topic/text', { 'content-length': false }, 'plain');
  assert.is((await peer.next()).body, 'plain');
  peer.destroy();
});

test('answers to a temporary queue are for no subscription of its own: onreceive gets them', async () => {
  const client = open(scene.open.http, 'http');
  const asker = await connectLegacy(client, { version: '1.1' });
  const answers = new Inbox<CallbackMessage>();
  client.onreceive = (message) => answers.push(message);
  const answerer = await scene.connect('1.1');
  await answerer.subscribe('/queue/questions');
  await asker.send('/queue/questions', 'how?', { 'reply-to': '/temp-queue/answers', 'correlation-id': '7' });
  const question = await answerer.next();
  const { 'reply-to': address = '', 'correlation-id': correlation = '' } = question.headers;
  await answerer.send(address, 'so', { 'correlation-id': correlation });
  const { headers, body } = await answers.next();
  assert.equal([body, headers.subscription, headers['correlation-id']], ['so', '/temp-queue/answers', '7']);
  asker.destroy();
});

test('it writes colons and backslashes in headers as they are, and reads escapes as they are', async () => {
  const peer = await scene.connect('1.1');
  await peer.subscribe('/topic/urls');
  await peer.send('/topic/urls', '', { url: 'http://a:80/' });
  assert.is((await peer.next()).headers.url, 'http\\c//a\\c80/');
  assert.equal(await drain(peer), []);
});

test.run();
