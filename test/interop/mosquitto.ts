import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { header, RawStomp } from '../support/stomp-client.ts';
import { at, Debian, LINE, messages, succeeded } from './support/debian.ts';

/** mosquitto's clients, as Debian has them. */

const test = suite('clients from Debian: mosquitto');
const debian = new Debian(test);

const MOSQUITTO = ['mosquitto_sub', 'mosquitto_pub'] as const;
const VERSIONS = [
  ['mqttv31', '3.1'],
  ['mqttv311', '3.1.1'],
  ['mqttv5', '5.0'],
] as const;

for (const [option, version] of VERSIONS) {
  const common = ['-V', option];

  debian.test(MOSQUITTO, `mosquitto_pub to mosquitto_sub, ${version}: each QoS to each`, async (path) => {
    const subscribers = await Promise.all(
      [0, 1, 2].map((qos) =>
        debian.mosquittoSub(path('mosquitto_sub'), [...common, '-q', String(qos), '-t', 'debian/+/qos', '-C', '3']),
      ),
    );
    for (const qos of [0, 1, 2]) {
      await debian.mosquitto(path('mosquitto_pub'), [
        ...common,
        '-q',
        String(qos),
        '-t',
        `debian/${qos}/qos`,
        '-m',
        'hello',
      ]);
    }
    for (const [granted, subscriber] of subscribers.entries()) {
      assert.equal(
        messages(succeeded('mosquitto_sub', await subscriber.ended)).sort(),
        [0, 1, 2].map((qos) => `debian/${qos}/qos ${Math.min(qos, granted)} 0 hello`),
      );
    }
  });

  debian.test(MOSQUITTO, `mosquitto, ${version}: many messages of one publisher, in order`, async (path) => {
    const lines = Array.from({ length: 1000 }, (_, i) => `line ${i}`);
    for (const qos of ['0', '1', '2']) {
      const args = [...common, '-q', qos, '-t', `debian/many/${qos}`];
      const subscriber = await debian.mosquittoSub(path('mosquitto_sub'), [...args, '-C', String(lines.length)]);
      const input = lines.join('\n');
      await debian.mosquitto(path('mosquitto_pub'), [...args, '-l'], input);
      assert.equal(
        messages(succeeded('mosquitto_sub', await subscriber.ended)),
        lines.map((line) => `debian/many/${qos} ${qos} 0 ${line}`),
      );
    }
  });

  debian.test(MOSQUITTO, `mosquitto, ${version}: retained, and removed`, async (path) => {
    const retained = [...common, '-q', '1', '-t', 'debian/kept', '-r'];
    await debian.mosquitto(path('mosquitto_pub'), [...retained, '-m', 'state']);
    const first = await debian.mosquittoSub(path('mosquitto_sub'), [
      ...common,
      '-q',
      '1',
      '-t',
      'debian/kept',
      '-C',
      '1',
    ]);
    assert.equal(messages(succeeded('mosquitto_sub', await first.ended)), ['debian/kept 1 1 state']);
    await debian.mosquitto(path('mosquitto_pub'), [...retained, '-n']);
    const second = await debian.mosquittoSub(path('mosquitto_sub'), [
      ...common,
      '-q',
      '1',
      '-t',
      'debian/kept',
      '-C',
      '1',
    ]);
    await debian.mosquitto(path('mosquitto_pub'), [...common, '-q', '1', '-t', 'debian/kept', '-m', 'live']);
    assert.equal(messages(succeeded('mosquitto_sub', await second.ended)), ['debian/kept 1 0 live']);
  });

  debian.test(MOSQUITTO, `mosquitto, ${version}: the will of a client that is killed`, async (path) => {
    const watcher = await debian.mosquittoSub(path('mosquitto_sub'), [
      ...common,
      '-q',
      '2',
      '-t',
      'debian/will',
      '-C',
      '1',
    ]);
    const will = ['--will-topic', 'debian/will', '--will-payload', 'gone', '--will-qos', '2'];
    const device = await debian.mosquittoSub(path('mosquitto_sub'), [...common, '-t', 'debian/nothing', ...will]);
    device.kill('SIGKILL');
    assert.equal(messages(succeeded('mosquitto_sub', await watcher.ended)), ['debian/will 2 0 gone']);
  });

  debian.test(
    MOSQUITTO,
    `mosquitto, ${version}: a session goes on, with what was published meanwhile`,
    async (path) => {
      const session = [
        ...[...common, '-i', `debian-${version}`, '-c', '-q', '1', '-t', 'debian/session'],
        ...(version === '5.0' ? ['-x', '60'] : []),
      ];
      await debian.mosquitto(path('mosquitto_sub'), [...session, '-E']);
      for (const text of ['one', 'two']) {
        await debian.mosquitto(path('mosquitto_pub'), [...common, '-q', '1', '-t', 'debian/session', '-m', text]);
      }
      const again = await debian.mosquitto(path('mosquitto_sub'), [...session, '-F', LINE, '-C', '2']);
      assert.equal(messages(again), ['debian/session 1 0 one', 'debian/session 1 0 two']);
    },
  );
}

debian.test(MOSQUITTO, 'mosquitto, 5.0: properties', async (path) => {
  const format = '<%C|%R|%D|%P|%F|%S|%p>';
  const args = [
    '-V',
    'mqttv5',
    '-t',
    'debian/properties',
    '-C',
    '1',
    '-D',
    'subscribe',
    'subscription-identifier',
    '9',
  ];
  const subscriber = await debian.mosquittoSub(path('mosquitto_sub'), [...args, '-F', format]);
  const properties = [
    ...[
      ['content-type', 'text/plain'],
      ['response-topic', 'debian/answers'],
      ['correlation-data', 'c-1'],
    ],
    ...[
      ['payload-format-indicator', '1'],
      ['user-property', 'a', '1'],
      ['user-property', 'a', '2'],
    ],
  ].flatMap((property) => ['-D', 'publish', ...property]);
  await debian.mosquitto(path('mosquitto_pub'), ['-V', 'mqttv5', '-t', 'debian/properties', '-m', 'x', ...properties]);
  assert.equal(messages(succeeded('mosquitto_sub', await subscriber.ended)), [
    'text/plain|debian/answers|c-1|a:1 a:2|1|9|x',
  ]);
});

debian.test(['mosquitto_rr'], 'mosquitto_rr asks, an application answers over STOMP', async (path) => {
  const service = await RawStomp.connect(debian.server.stomp);
  try {
    service.send('SUBSCRIBE', { id: '0', destination: '/topic/debian.time' });
    await service.flush();
    const args = ['-V', 'mqttv5', '-t', 'debian/time', '-e', 'debian/answers/rr', '-m', 'now?', '-W', '10'];
    const asker = debian.start(path('mosquitto_rr'), [
      ...at(debian.server.mqtt),
      ...args,
      '-D',
      'publish',
      'correlation-data',
      '42',
    ]);
    const request = await service.expect('MESSAGE');
    const destination = header(request, 'reply-to') ?? '';
    assert.equal([destination, request.body.toString()], ['/topic/debian.answers.rr', 'now?']);
    service.send('SEND', { destination, 'correlation-id': header(request, 'correlation-id') ?? '' }, 'noon');
    assert.is(succeeded('mosquitto_rr', await asker.ended).trim(), 'noon');
  } finally {
    service.destroy();
  }
});

test.run();
