import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Address } from '../../src/broker.ts';
import { execute } from '../support/child.ts';
import { eventually } from '../support/eventually.ts';
import { RawMqtt } from '../support/mqtt-client.ts';
import { freePorts } from '../support/nats-server.ts';
import { at, Debian } from './support/debian.ts';

/** `$SYS/` of a real mosquitto beside ours, as mosquitto_sub sees them. */

const test = suite('mosquitto: $SYS');
const debian = new Debian(test);

/** Names that mosquitto 2.0 has and we leave out; README says why. */
const LEFT_OUT = [
  '$SYS/broker/messages/stored',
  '$SYS/broker/store/messages/bytes',
  '$SYS/broker/store/messages/count',
];

/** mosquitto_sub's code for an end by its option -W. */
const TIMED_OUT = 27;

/** Seconds mosquitto_sub listens: some of mosquitto's names are there only when it has counted a client. */
const LISTENS = 5;

/** By name: the last value that mosquitto_sub is told. */
async function told(mosquittoSub: string, address: Address): Promise<Map<string, string>> {
  const options = ['-V', 'mqttv5', '-t', '$SYS/#', '-W', String(LISTENS), '-F', '%t=%p'];
  const { code, stdout, stderr } = await execute(mosquittoSub, [...at(address), ...options], {}, 2 * LISTENS * 1000);
  assert.ok(code === 0 || code === TIMED_OUT, `mosquitto_sub ended with ${code}\n${stderr}`);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

/** What a value looks like: digits as 0, words as they are. */
const shape = (value: string): string =>
  value.replace(/^(mosquitto|trimaran) version .*/, 'version').replaceAll(/\d+/g, '0');

debian.test(
  ['mosquitto', 'mosquitto_sub'],
  'the same names, but for those left out, in the same form',
  async (path) => {
    const [port = 0] = await freePorts(1);
    const address = { host: '127.0.0.1', port };
    const config = join(mkdtempSync(join(tmpdir(), 'trimaran-mosquitto-')), 'mosquitto.conf');
    writeFileSync(config, `listener ${port} 127.0.0.1\nallow_anonymous true\nsys_interval 1\n`);
    debian.start(path('mosquitto'), ['-c', config]);
    const client = await eventually('mosquitto listens', () =>
      RawMqtt.connect(address, { clientId: 'first' }).catch(() => undefined),
    );
    client.destroy();
    const sub = path('mosquitto_sub');
    const [theirs, ours] = await Promise.all([told(sub, address), told(sub, debian.server.mqtt)]);
    assert.ok(theirs.size > 50, `only ${theirs.size} names came from mosquitto`);
    assert.equal([...ours.keys(), ...LEFT_OUT].sort(), [...theirs.keys()].sort());
    for (const [name, value] of ours) assert.is(shape(value), shape(theirs.get(name) ?? ''), name);
  },
);

test.run();
