import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../support/eventually.ts';
import { Driven } from './support/driven.ts';
import { Scene, stompSteps } from './support/stomp-steps.ts';

/** PHP's extension stomp, of Debian's php-stomp. */

const php = new Driven({
  name: 'php-stomp',
  tool: 'php-stomp',
  script: 'driver.php',
  versions: ['1.0', '1.1', '1.2'],
  beats: [],
  nacks: ['1.0', '1.1', '1.2'],
  waits: false,
});
stompSteps(php, php.register);

const test = suite('php-stomp, its own ways');
const scene = new Scene(test, php);
const own = (title: string, body: () => Promise<void>) => php.register(test, title, body);

own('calls with a receipt keep the messages that come before it for readFrame', async () => {
  const peer = await scene.connect('1.0');
  await peer.subscribe('/topic/kept');
  const sent = Array.from({ length: 20 }, (_, i) => `#${i}`);
  for (const body of sent) await peer.send('/topic/kept', body);
  for (const body of sent) assert.is((await peer.next()).body, body);
});

own('ack by the message-id alone', async () => {
  const peer = await php.drive(scene.open.stomp, '1.0');
  await peer.subscribe('/queue/by-id', { ack: 'client' });
  await peer.send('/queue/by-id', 'work');
  await peer.command('ack by id', { message: await peer.next() });
  await peer.leave();
  const other = await scene.connect('1.0');
  await other.subscribe('/queue/by-id');
  await other.send('/queue/by-id', 'next');
  assert.is((await other.next()).body, 'next');
});

own('heart-beats that it asks for, it reads as no frame at all, and loses nothing', async () => {
  const peer = await php.drive(scene.open.stomp, '1.1', { heartBeat: [0, 200] });
  await peer.subscribe('/topic/beats');
  await eventually('three heart-beats', () => peer.beats >= 3);
  await peer.send('/topic/beats', 'still here');
  assert.is((await peer.next()).body, 'still here');
  await peer.leave();
});

test.run();
