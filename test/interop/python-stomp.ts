import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Driven } from './support/driven.ts';
import { Scene, stompSteps } from './support/stomp-steps.ts';

/** stomp.py, of Debian's python3-stomp. */

const python = new Driven({
  name: 'python3-stomp',
  tool: 'stomp.py',
  script: 'driver.py',
  versions: ['1.0', '1.1', '1.2'],
  beats: ['1.1', '1.2'],
  nacks: ['1.1', '1.2'],
  waits: true,
});
stompSteps(python, python.register);

const test = suite('python3-stomp, its own ways');
const scene = new Scene(test, python);
const own = (title: string, body: () => Promise<void>) => python.register(test, title, body);

own('auto_content_length: with content-length a body may have null bytes, without it is a text', async () => {
  for (const version of python.versions) {
    const counting = await python.drive(scene.open.stomp, version);
    const other = await python.drive(scene.open.stomp, version, { contentLength: false });
    for (const [peer, body] of [
      [counting, '21 °C\0'],
      [other, '21 °C'],
    ] as const) {
      await peer.subscribe('/topic/texts');
      await peer.send('/topic/texts', body);
      assert.is((await peer.next()).body, body);
      await peer.leave();
    }
  }
});

test.run();
