import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../support/eventually.ts';
import { Driven } from './support/driven.ts';
import { Scene, stompSteps } from './support/stomp-steps.ts';
import { Tap } from './support/tap.ts';

/** Net::Stomp, of Debian's libnet-stomp-perl. */

const perl = new Driven({
  name: 'Net::Stomp',
  tool: 'libnet-stomp-perl',
  script: 'driver.pl',
  versions: ['1.0', '1.1', '1.2'],
  beats: [],
  nacks: ['1.0', '1.1', '1.2'],
  waits: false,
});
stompSteps(perl, perl.register);

const test = suite('Net::Stomp, its own ways');
const scene = new Scene(test, perl);
const own = (title: string, body: () => Promise<void>) => perl.register(test, title, body);

own('receive_frame waits for a message, and ack takes the frame, without its subscription', async () => {
  for (const version of ['1.0', '1.1']) {
    const queue = `/queue/by-frame-${version}`;
    const peer = await perl.drive(scene.open.stomp, version);
    await peer.send(queue, 'work');
    const { message } = await peer.command('work', { destination: queue, headers: { ack: 'client', id: '0' } });
    assert.is(message?.body, 'work');
    await peer.leave();
    const other = await scene.connect('1.0');
    await other.subscribe(queue);
    await other.send(queue, 'next');
    assert.is((await other.next()).body, 'next');
  }
});

own('send_with_receipt and send_transactional', async () => {
  const [peer, receiver] = [await perl.drive(scene.open.stomp, '1.0'), await scene.connect('1.0')];
  await receiver.subscribe('/queue/sent');
  for (const way of ['send_with_receipt', 'send_transactional']) {
    await peer.command(way, { destination: '/queue/sent', body: way, headers: {} });
    assert.is((await receiver.next()).body, way);
  }
  await peer.leave();
});

own('bytes_message: with content-length, else without', async () => {
  const [peer, receiver] = [await scene.connect('1.0'), await scene.connect('1.0')];
  await receiver.subscribe('/topic/bytes');
  await peer.send('/topic/bytes', 'a\0b', { bytes_message: '1' });
  assert.is((await receiver.next()).body, 'a\0b');
});

own('heart-beats that it asks for, it skips', async () => {
  const tap = await Tap.open(scene.open.stomp);
  const peer = await perl.drive(tap.address, '1.1', { heartBeat: [0, 200] });
  await peer.subscribe('/topic/beats');
  const { length } = tap.times.toClient;
  await eventually('three heart-beats', () => tap.times.toClient.length >= length + 3);
  await peer.send('/topic/beats', 'still here');
  assert.is((await peer.next()).body, 'still here');
  await peer.leave();
  tap.close();
});

test.run();
