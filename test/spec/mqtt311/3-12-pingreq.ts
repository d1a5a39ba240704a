import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { data, packet, raw } from '../../support/mqtt-wire.ts';
import { Rig } from '../mqtt/support/rig.ts';

/** PINGREQ and DISCONNECT (3.12 to 3.14) of MQTT 3.1.1 and 5.0. */

for (const level of [4, 5]) {
  const test = suite(`mqtt311/3-12-pingreq, level ${level}`);
  const rig = new Rig(4);
  test.before(() => rig.start());
  test.after(() => rig.stop());
  test.after.each(() => rig.leave());

  test('[MQTT-3.12.4-1] PINGRESP answers each PINGREQ', async () => {
    const client = await rig.connected({ level });
    client.send('c000');
    assert.is(await client.next(), 'd000');
    client.send(...Array.from({ length: 100 }, () => 'c000'));
    assert.equal(
      await client.take(100),
      Array.from({ length: 100 }, () => 'd000'),
    );
  });

  test('[MQTT-3.14.4-2] after DISCONNECT the server closes the connection, and says nothing', async () => {
    const client = await rig.connected({ level });
    client.send('e000');
    assert.equal(await client.end(), []);
  });

  test('[MQTT-3.14.4-2] what follows DISCONNECT is not looked at', async () => {
    const watcher = await rig.client('w');
    await watcher.subscribe('#');
    const client = await rig.connected({ level });
    const none = level === 5 ? '00' : '';
    client.send(
      packet(0x30, data('before'), none, raw('x')),
      'e000',
      packet(0x30, data('behind'), none, raw('x')),
      'c000',
    );
    assert.equal(await client.end(), []);
    assert.equal(
      (await watcher.flush()).map((each) => each.cmd === 'publish' && each.topic),
      ['before'],
    );
  });

  test('4.3 what came before DISCONNECT is taken in, at QoS 1, too', async () => {
    const watcher = await rig.client('w');
    await watcher.subscribe('#', 1);
    const client = await rig.connected({ level });
    client.send(packet(0x32, data('last'), '0001', level === 5 ? '00' : '', raw('x')), 'e000');
    await client.end();
    assert.is((await watcher.expect('publish')).topic, 'last');
  });

  test.run();
}
