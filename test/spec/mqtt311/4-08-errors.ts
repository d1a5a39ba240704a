import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connect, data, packet, raw, word } from '../../support/mqtt-wire.ts';
import { Rig } from '../mqtt/support/rig.ts';

/** Handling errors (4.8): what breaks the protocol ends the connection it came by, and nothing else. */

const test = suite('mqtt311/4-08-errors');
const rig = new Rig(4);
test.before(() => rig.start({ limits: { packetBytes: 5000 } }));
test.after(() => rig.stop());
test.after.each(() => rig.leave());

for (const [what, sent] of [
  ['a type that is reserved', packet(0xf0)],
  ['a packet that is too large for this server', packet(0x30, data('t'), raw('x'.repeat(6000)))],
  ['a packet that says it is 256 MiB long', '30ffffff7f'],
  ['a second CONNECT', connect()],
] as const) {
  test(`[MQTT-4.8.0-1] ${what}: closed, what follows is not looked at, and others notice nothing`, async () => {
    const watcher = await rig.client('w');
    await watcher.subscribe('#');
    const client = await rig.connected();
    client.send(packet(0x30, data('before'), raw('x')), sent, packet(0x30, data('behind'), raw('x')));
    assert.equal(await client.end(), []);
    assert.equal(
      (await watcher.flush()).map((each) => each.cmd === 'publish' && each.topic),
      ['before'],
    );
  });
}

test('[MQTT-4.8.0-1] the session of a client that was cut off is kept, with what was in flight', async () => {
  const first = await rig.client('kept', { clean: false });
  await first.subscribe('t', 1);
  const publisher = await rig.client('p');
  publisher.publish('t', 'x', { qos: 1, messageId: 1 });
  const { messageId } = await first.expect('publish');
  first.write(0x00, 0x00);
  await first.end();
  const again = await rig.client('kept', { clean: false });
  assert.ok(again.connack.sessionPresent);
  const message = await again.expect('publish');
  assert.equal([message.messageId, message.dup], [messageId, true]);
});

test('4.8 a message whose acknowledgement was lost with the connection is taken in', async () => {
  const watcher = await rig.client('w');
  await watcher.subscribe('last', 1);
  const client = await rig.connected();
  client.send(packet(0x32, data('last'), word(1), raw('x')), packet(0x00));
  await client.end();
  assert.is((await watcher.expect('publish')).topic, 'last');
});

test.run();
