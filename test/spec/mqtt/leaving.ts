import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import { connect, data, MqttWire, packet, raw, word } from '../../support/mqtt-wire.ts';
import { hold, Rig, textOf } from './support/rig.ts';

/** Clients that say everything in one piece and go, before the server has so much as looked for their session (3.1.4). */

const USER = { name: 'u', password: 'secret' };
const CLIENTS = 20;

for (const type of ['memory', 'embedded'] as const) {
  const test = suite(`mqtt/leaving ${type}`);
  const rig = new Rig();
  let directory = '';

  test.before(() => {
    directory = mkdtempSync(join(tmpdir(), 'trimaran-leaving-'));
    // So that a login takes its time.
    const security = { users: [USER], scramIterations: 20_000 };
    return rig.start({ backbone: { type, embedded: { directory } }, security });
  });
  test.after(async () => {
    await rig.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  for (const [what, farewell, willComes] of [
    ['DISCONNECT', packet(0xe0), false],
    ['no DISCONNECT', '', true],
  ] as const) {
    test(`CONNECT, messages and ${what} in one piece, then the end: all messages come, the will ${willComes ? 'too' : 'does not'}`, async () => {
      const user = { username: USER.name, password: USER.password };
      const watcher = await rig.client(`watcher ${what}`, user);
      await watcher.subscribe(`${what}/#`, 2);
      const flags = 0x02 + 0x04 + 0x40 + 0x80;
      for (let i = 0; i < CLIENTS; i++) {
        const client = await MqttWire.open(rig.server.mqtt);
        const will = [data(`${what}/will`), data(`will ${i}`)].join('');
        const payload = [data(`leaving ${i}`), will, data(USER.name), data(USER.password)].join('');
        const [live, once, exactly] = [0, 1, 2].map((qos) => {
          const id = qos > 0 ? word(1 + qos) : '';
          return packet(0x30 + qos * 2, data(`${what}/${qos}`), id, raw(`${qos} ${i}`));
        });
        client.send(connect({ flags, payload }), `${live}${once}${exactly}`, farewell);
        client.socket.end();
      }
      const expected = Array.from({ length: CLIENTS }, (_, i) => [
        `0 ${i}`,
        `1 ${i}`,
        `2 ${i}`,
        ...(willComes ? [`will ${i}`] : []),
      ]).flat();
      const got = await hold(watcher, expected.length);
      assert.equal(got.map(textOf).sort(), expected.sort());
      await eventually('they are gone', () => rig.server.broker.counters.connections === 1);
      assert.equal(await watcher.flush(), []);
      watcher.destroy();
    });
  }

  test.run();
}
