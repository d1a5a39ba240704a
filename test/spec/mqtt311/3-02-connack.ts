import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Authorizer } from '../../../src/ports/authorizer.ts';
import { connect, data, packet, raw } from '../../support/mqtt-wire.ts';
import { Rig } from '../mqtt/support/rig.ts';

/** MQTT 3.1.1, 3.2, and 3.1 beside it: CONNACK, its codes and Session Present. */

/** Knows one user, and one who may not connect. */
const authorizer: Authorizer = {
  authenticate: ({ userName, password }) => {
    if (userName === 'banned') return 'notAuthorized';
    const known = userName === undefined || (userName === 'ann' && Buffer.from(password ?? []).toString() === 'right');
    return known ? { name: userName ?? 'anonymous' } : 'badCredentials';
  },
  mayPublish: () => true,
  maySubscribe: () => true,
};

for (const [version, level] of [
  ['3.1', 3],
  ['3.1.1', 4],
] as const) {
  const test = suite(`mqtt311/3-02-connack ${version}`);
  const rig = new Rig(4);
  test.before(() => rig.start({ limits: { clientIdBytes: 100 } }, { authorizer }));
  test.after(() => rig.stop());
  test.after.each(() => rig.leave());

  const credentials = (user: string, password: string) => ({
    flags: 0xc2,
    payload: `${data('c')}${data(user)}${data(password)}`,
  });

  for (const [what, parts, code] of [
    ['0x00: accepted', {}, '00'],
    ['0x00: the right password', credentials('ann', 'right'), '00'],
    ['0x02: an identifier that is too long [MQTT-3.1.3-9]', { payload: data('x'.repeat(101)) }, '02'],
    ['0x02: no identifier for a session that is to be kept', { flags: 0, payload: data('') }, '02'],
    ['0x04: another password', credentials('ann', 'wrong'), '04'],
    ['0x04: another user', credentials('bob', 'right'), '04'],
    ['0x04: a user name without a password', { flags: 0x82, payload: `${data('c')}${data('ann')}` }, '04'],
    ['0x05: not allowed to connect', credentials('banned', 'right'), '05'],
  ] as const) {
    test(`3.2.2.3 ${what}`, async () => {
      const client = await rig.wire();
      client.send(connect({ level, ...parts }));
      if (code === '00') {
        assert.is(await client.next(), '20020000');
        assert.equal(await client.flush(), []);
        // [MQTT-3.2.2-4]: with a code other than 0, Session Present is 0. [MQTT-3.2.2-5]: and that is the end.
      } else assert.equal(await client.end(), [`200200${code}`]);
    });
  }

  test('[MQTT-3.2.2-4] Session Present is 0 in a refusal, though there is a session', async () => {
    const first = await rig
      .connected({ level, flags: 0x80, payload: `${data('kept')}${data('ann')}` })
      .catch(() => undefined);
    assert.is(first, undefined, 'without a password');
    const right = { level, flags: 0xc0, payload: `${data('kept')}${data('ann')}${data('right')}` };
    const kept = await rig.connected(right);
    kept.send('e000');
    await kept.end();
    const client = await rig.wire();
    client.send(connect({ ...right, payload: `${data('kept')}${data('ann')}${data('wrong')}` }));
    assert.equal(await client.end(), ['20020004']);
    const again = await rig.wire();
    again.send(connect(right));
    assert.is(await again.next(), level === 3 ? '20020000' : '20020100');
  });

  test('3.1.3.1 a session of one user is not given to another: 0x02', async () => {
    const kept = await rig.connected({ level, flags: 0xc0, payload: `${data('anns')}${data('ann')}${data('right')}` });
    kept.send('e000');
    await kept.end();
    const client = await rig.wire();
    client.send(connect({ level, flags: 0, payload: data('anns') }));
    assert.equal(await client.end(), ['20020002']);
  });

  test.run();
}

const test = suite('mqtt311/3-02-connack');
const rig = new Rig(4);
test.before(() => rig.start());
test.after(() => rig.stop());
test.after.each(() => rig.leave());

async function answer(flags: number, id: string): Promise<string> {
  const client = await rig.wire();
  client.send(connect({ flags, payload: data(id) }));
  const connack = await client.next();
  client.send('e000');
  await client.end();
  return connack;
}

test('[MQTT-3.2.2-1] … [MQTT-3.2.2-3] Session Present is 1 only with Clean Session 0 and a session that was kept', async () => {
  const [clean, kept] = [0x02, 0x00];
  for (const [flags, present] of [
    [clean, 0],
    [clean, 0],
    [kept, 0],
    [kept, 1],
    [kept, 1],
    // [MQTT-3.1.2-6]: it is thrown away, and the clean one is not used again.
    [clean, 0],
    [kept, 0],
    [kept, 1],
  ] as const)
    assert.is(await answer(flags, 'present'), `20020${present}00`);
});

test('[MQTT-3.2.2-2] Session Present also when the client takes over from itself', async () => {
  const first = await rig.connected({ flags: 0, payload: data('twice') });
  const second = await rig.wire();
  second.send(connect({ flags: 0, payload: data('twice') }));
  assert.is(await second.next(), '20020100');
  assert.equal(await first.end(), []);
});

test('[MQTT-3.2.0-1] CONNACK is the first packet, before what waits for the client', async () => {
  const first = await rig.connected({ flags: 0, payload: data('s') });
  first.send(packet(0x82, '0001', data('first/#'), '01'));
  await first.next();
  first.send('e000');
  await first.end();
  const publisher = await rig.connected({ payload: data('p') });
  for (let id = 1; id <= 3; id++) publisher.send(packet(0x32, data('first/x'), `000${id}`, raw(`${id}`)));
  await publisher.take(3);
  const again = await rig.wire();
  again.send(connect({ flags: 0, payload: data('s') }));
  const packets = await again.take(4);
  assert.is(packets[0], '20020100');
  for (const each of packets.slice(1)) assert.match(each, /^32/);
});

test.run();
