import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connect, data, packet, raw, word } from '../../support/mqtt-wire.ts';
import { Rig } from '../mqtt/support/rig.ts';

/** MQTT 3.1.1, chapter 1: data representations. */

const test = suite('mqtt311/1-data');
const rig = new Rig(4);
test.before(() => rig.start());
test.after(() => rig.stop());
test.after.each(() => rig.leave());

/** Not well-formed UTF-8, or what strings may not have. */
const ILL_FORMED: readonly [what: string, bytes: string][] = [
  ['[MQTT-1.5.3-1] a lone continuation byte', '61 80 62'],
  ['[MQTT-1.5.3-1] a sequence that ends too early', '61 e2 82'],
  ['[MQTT-1.5.3-1] an overlong form', '61 c0 af'],
  ['[MQTT-1.5.3-1] an overlong form of three bytes', 'e0 80 af'],
  ['[MQTT-1.5.3-1] a surrogate, U+D800', '61 ed a0 80'],
  ['[MQTT-1.5.3-1] a surrogate, U+DFFF', '61 ed bf bf'],
  ['[MQTT-1.5.3-1] a pair of surrogates (CESU-8)', 'ed a0 81 ed b0 80'],
  ['[MQTT-1.5.3-1] beyond U+10FFFF', 'f4 90 80 80'],
  ['[MQTT-1.5.3-1] a byte that no sequence has', '61 ff'],
  ['[MQTT-1.5.3-2] U+0000', '61 00 62'],
  ['[MQTT-1.5.3-2] U+0000 in two bytes', '61 c0 80'],
];

for (const [what, bytes] of ILL_FORMED) {
  const text = data(Buffer.from(bytes.replaceAll(' ', ''), 'hex'));

  for (const [field, sent] of [
    ['the client identifier [MQTT-3.1.3-4]', connect({ payload: text })],
    ['the will topic [MQTT-3.1.3-10]', connect({ flags: 0x06, payload: `${data('c')}${text}${data('x')}` })],
    ['the user name [MQTT-3.1.3-11]', connect({ flags: 0x82, payload: `${data('c')}${text}` })],
  ] as const) {
    test(`${what}: ${field}: closed without CONNACK`, async () => {
      const client = await rig.wire();
      client.send(sent);
      assert.equal(await client.end(), []);
    });
  }

  for (const [field, sent] of [
    ['the topic of PUBLISH [MQTT-3.3.2-1]', packet(0x30, text, raw('x'))],
    ['a filter of SUBSCRIBE [MQTT-3.8.3-1]', packet(0x82, word(1), text, '00')],
    ['a filter of UNSUBSCRIBE [MQTT-3.10.3-1]', packet(0xa2, word(1), text)],
  ] as const) {
    test(`${what}: ${field}: closed`, async () => {
      const client = await rig.connected();
      client.send(sent);
      assert.equal(await client.end(), []);
    });
  }
}

for (const [what, topic] of [
  ['[MQTT-1.5.3-3] U+FEFF, before and between', '\ufeffa\ufeffb'],
  ['1.5.3 beyond the basic plane, U+2A6D4', 'A\u{2a6d4}'],
  ['1.5.3 U+10FFFF', '\u{10ffff}'],
  ['1.5.3 spaces, at both ends, too', ' a  b '],
] as const) {
  test(`${what}: a topic arrives as it was sent, byte by byte`, async () => {
    const client = await rig.connected();
    client.send(packet(0x82, word(1), data(topic), '00'), packet(0x30, data(topic), raw('x')));
    assert.equal(await client.take(2), ['9003000100', packet(0x30, data(topic), raw('x'))]);
  });
}

test('[MQTT-1.5.3-3] a name with U+FEFF in front is another name', async () => {
  const client = await rig.connected();
  client.send(packet(0x82, word(1), data('bom'), '00'), packet(0x30, data('\ufeffbom'), raw('x')));
  assert.equal(await client.flush(), ['9003000100']);
});

test('1.5.3 a client identifier of any characters is taken', async () => {
  const client = await rig.wire();
  client.send(connect({ payload: data('\ufeffé / #+ \u{1f6a2}') }));
  assert.is(await client.next(), '20020000');
});

test.run();
