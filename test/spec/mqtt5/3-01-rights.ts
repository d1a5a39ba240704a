import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Credentials, Principal } from '../../../src/ports/authorizer.ts';
import {
  CLEAN,
  connect,
  field,
  hex,
  join,
  publish,
  section,
  subscribe,
  u32,
  WILL_FLAG,
  will,
} from '../../support/mqtt-bytes.ts';
import { Bench } from './support/bench.ts';
import { WAYS } from './support/peer.ts';

/** MQTT 5.0, 3.1.4: who may connect, and what is told to those who may not. */

const seen: Credentials[] = [];
const authorizer = {
  authenticate(credentials: Credentials): Principal | 'badCredentials' | 'notAuthorized' {
    seen.push(credentials);
    if (credentials.userName === 'banned') return 'notAuthorized';
    return Buffer.from(credentials.password ?? []).toString() === 'wrong' ? 'badCredentials' : { name: 'all' };
  },
  mayPublish: (_: Principal, topic: string): boolean => topic !== 'secret',
  maySubscribe: (_: Principal, filter: string): boolean => filter !== 'secret',
};

const test = suite('mqtt5/3.1 rights');
const bench = new Bench({}, { authorizer });
test.before(() => bench.start());
test.after(() => bench.stop());
test.after.each(() => bench.leave());

const login = (user: string, password: string): Buffer =>
  connect({ clientId: 'someone', flags: CLEAN | 0xc0, rest: [field(user), field(password)] });

for (const way of WAYS) {
  test(`[MQTT-3.1.4-2] wrong credentials: 0x86; a client that may not: 0x87; closed, ${way.name}`, async () => {
    assert.is(await bench.refusal(join(login('me', 'wrong'), publish('a', 'x')), way), 0x86);
    assert.is(await bench.refusal(join(login('banned', 'right'), publish('a', 'x')), way), 0x87);
  });
}

test('[MQTT-3.1.4-2] a refused client takes nothing over and discards no session', async () => {
  const properties = section([0x11], u32(60));
  const first = await bench.connect({ clientId: 'someone', properties });
  assert.is(await bench.refusal(login('me', 'wrong')), 0x86);
  assert.equal(await first.flush(), []);
  first.destroy();
  assert.is(await bench.refusal(login('banned', '')), 0x87);
  const back = await bench.connect({ clientId: 'someone', flags: 0, properties });
  assert.ok(back.connack.sessionPresent);
});

test('[MQTT-3.1.2-17] [MQTT-3.1.2-19] user name and password are what was sent: text, and any bytes', async () => {
  seen.length = 0;
  await bench.connect({ flags: CLEAN | 0xc0, rest: [field('né'), field(hex('00ff80'))] });
  await bench.connect({ flags: CLEAN | 0x40, rest: [field('only')] });
  await bench.connect();
  assert.equal(
    seen.map(({ userName, password }) => [userName, password === undefined ? undefined : [...password]]),
    [
      ['né', [0, 255, 128]],
      [undefined, [...Buffer.from('only')]],
      [undefined, undefined],
    ],
  );
});

test('a right that is missing: 0x87 in PUBACK, PUBREC, SUBACK, and CONNACK for a will', async () => {
  const peer = await bench.connect();
  await peer.send(publish('secret', '', { qos: 1 }));
  assert.is((await peer.expect(4)).reasons[0], 0x87);
  await peer.send(publish('secret', '', { qos: 2 }));
  assert.is((await peer.expect(5)).reasons[0], 0x87);
  await peer.send(
    subscribe(1, [
      ['open', 1],
      ['secret', 1],
      ['$share/g/secret', 1],
    ]),
  );
  assert.equal((await peer.expect(9)).reasons, [1, 0x87, 0x87]);
  await peer.send(publish('secret', ''));
  assert.equal(await peer.flush(), []);
  assert.is(await bench.refusal(connect({ flags: CLEAN | WILL_FLAG, rest: will('secret', '') })), 0x87);
});

test.run();
