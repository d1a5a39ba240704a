import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../support/eventually.ts';
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

own('auto_content_length=False: a text without content-length', async () => {
  for (const version of python.versions) {
    const peer = await python.drive(scene.open.stomp, version, { contentLength: false });
    await peer.subscribe('/topic/texts');
    await peer.command('send text', { destination: '/topic/texts', body: '21 °C' });
    assert.is((await peer.next()).body, '21 °C');
    await peer.leave();
  }
});

own('auto_content_length with a text beyond ASCII counts characters: an ERROR that says so', async () => {
  const peer = await python.drive(scene.open.stomp, '1.2');
  await peer.command('send text', { destination: '/topic/texts', body: '21 °C' });
  assert.match((await peer.refusal()).body, /content-length/);
  await eventually('it is closed', () => peer.closed);
});

test.run();
