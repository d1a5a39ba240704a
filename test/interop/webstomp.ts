import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Scene, stompSteps } from './support/stomp-steps.ts';
import { connectBest, webStomp } from './support/webstomp.ts';

/** The npm package `webstomp-client`, over WebSocket: by text messages, and with its option `binary`. */

const text = webStomp('webstomp-client');
stompSteps(text);
stompSteps(webStomp('webstomp-client, binary', { binary: true }));

for (const client of [text, webStomp('webstomp-client, binary', { binary: true })]) {
  const test = suite(`${client.name}, its own ways`);
  const scene = new Scene(test, client);

  test('a frame of more than 16 KiB goes in several WebSocket messages, and comes in one', async () => {
    const peer = await scene.connect('1.2');
    await peer.subscribe('/topic/large');
    // What comes in a binary message it takes apart in one call with an argument for each byte: there may be no more than some 100,000.
    const large = 'wörd '.repeat(10_000);
    await Promise.all([peer.send('/topic/large', large), peer.send('/topic/large', 'behind it')]);
    assert.ok((await peer.next()).body === large);
    assert.is((await peer.next()).body, 'behind it');
  });

  test('it offers all versions from the lowest on, and gets the highest', async () => {
    const peer = await connectBest(scene.open.http);
    assert.is(peer.version, '1.2');
    peer.destroy();
  });

  test.run();
}
