import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Debian, told } from './support/debian.ts';
import { PAHO_ALONE } from './support/python-mqtt.ts';

/** python3-paho-mqtt, as Debian has it: everything that it can do in each version. */

const test = suite('clients from Debian: python3-paho-mqtt');
const debian = new Debian(test);

for (const version of ['3.1', '3.1.1', '5.0']) {
  for (const transport of ['tcp', 'websockets']) {
    debian.test(['paho-mqtt'], `python3-paho-mqtt, ${version} over ${transport}`, async (path) => {
      const { host, port } = transport === 'tcp' ? debian.server.mqtt : debian.server.http;
      const args = ['-c', PAHO_ALONE, host, String(port), version, transport];
      const seen = await told('paho', debian.start(path('paho-mqtt'), args));
      // MQTT 3.1 has no session present.
      const present = version !== '3.1';
      const common = [
        [
          'connected',
          [
            [0, false],
            [0, false],
          ],
        ],
        ['qos', [0, 0, 0, 0, 1, 1, 0, 1, 2]],
        ['retained', ['py/kept', 'state', 1, true]],
        ['removed', ['py/kept', '', 1, false]],
        ['large', 900_000],
        [
          'session',
          [
            [0, false],
            [0, present],
            ['py/lasting', 'one', 1, false],
            ['py/lasting', 'two', 1, false],
          ],
        ],
      ];
      const added = [
        ['shared', ['a', 'b', 'c', 'd']],
        [
          'alias',
          [
            ['py/alias', 'first', 1, false],
            ['py/alias', 'second', 1, false],
          ],
        ],
        ['expiry', ['long', true]],
        ['codes', [[0x8f]]],
        ['request', ['so', 'c']],
        ['taken over', ['end', 0x8e]],
      ];
      assert.equal(seen, version === '5.0' ? [...common, ...added] : common);
    });
  }
}

test.run();
