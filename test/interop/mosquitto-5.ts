import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Child, execute } from '../support/child.ts';
import { eventually } from '../support/eventually.ts';
import { RawJson } from '../support/json-client.ts';
import { RawMqtt } from '../support/mqtt-client.ts';
import { at, Debian, messages, succeeded } from './support/debian.ts';

/** mosquitto's clients, as Debian has them, with large messages and with what MQTT 5 adds. */

const test = suite('clients from Debian: mosquitto 5.0');
const debian = new Debian(test);

const MOSQUITTO = ['mosquitto_sub', 'mosquitto_pub'] as const;
const V5 = ['-V', 'mqttv5'];

/** Properties of a packet, each as name and values. */
const properties = (packet: string, ...all: readonly (readonly string[])[]): string[] =>
  all.flatMap((each) => ['-D', packet, ...each]);

for (const version of ['mqttv31', 'mqttv311', 'mqttv5']) {
  debian.test(MOSQUITTO, `mosquitto, ${version}: 900 kB, both ways`, async (path) => {
    const witness = await RawMqtt.connect(debian.server.mqtt, { clientId: 'witness' });
    await witness.subscribe('debian/large', 1);
    const text = 'large '.repeat(150_000);
    const file = join(mkdtempSync(join(tmpdir(), 'mosquitto-')), 'large');
    writeFileSync(file, text);
    const args = ['-V', version, '-q', '2', '-t', 'debian/large'];
    const subscriber = await debian.mosquittoSub(path('mosquitto_sub'), [...args, '-C', '1', '-F', '<%l>']);
    await debian.mosquitto(path('mosquitto_pub'), [...args, '-f', file]);
    assert.equal(messages(succeeded('mosquitto_sub', await subscriber.ended)), ['900000']);
    assert.is((await witness.expect('publish')).payload.toString(), text);
    witness.destroy();
  });
}

debian.test(MOSQUITTO, 'mosquitto, 5.0: CONNECT with everything in it, and a will with properties', async (path) => {
  const watcher = await debian.mosquittoSub(path('mosquitto_sub'), [
    ...[...V5, '-q', '2', '-t', 'debian/will', '-C', '1'],
    ...['-F', '<%t %q %C %R %D %P %p>'],
  ]);
  const device = await debian.mosquittoSub(path('mosquitto_sub'), [
    ...[...V5, '-i', 'device', '-c', '-x', '60', '-k', '30', '-t', 'debian/nothing', '-u', 'user', '-P', 'secret'],
    ...properties('connect', ['user-property', 'a', '1'], ['user-property', 'a', '2'], ['receive-maximum', '10']),
    ...properties('connect', ['topic-alias-maximum', '5'], ['maximum-packet-size', '2000000']),
    ...properties('connect', ['request-response-information', '1'], ['request-problem-information', '1']),
    ...['--will-topic', 'debian/will', '--will-payload', 'gone', '--will-qos', '2'],
    ...properties('will', ['content-type', 'text/plain'], ['response-topic', 'debian/answers']),
    ...properties(
      'will',
      ['correlation-data', 'c'],
      ['user-property', 'why', 'lost'],
      ['payload-format-indicator', '1'],
    ),
  ]);
  device.kill('SIGKILL');
  const seen = messages(succeeded('mosquitto_sub', await watcher.ended));
  assert.equal(seen, ['debian/will 2 text/plain debian/answers c why:lost gone']);
});

debian.test(MOSQUITTO, 'mosquitto, 5.0: a shared subscription, each message to one', async (path) => {
  const args = [...V5, '-q', '1'];
  const members: Child[] = [];
  for (let i = 0; i < 2; i++)
    members.push(await debian.mosquittoSub(path('mosquitto_sub'), [...args, '-t', '$share/g/debian/shared']));
  const all = await debian.mosquittoSub(path('mosquitto_sub'), [...args, '-t', 'debian/shared', '-C', '10']);
  const input = Array.from({ length: 10 }, (_, i) => `m${i}`).join('\n');
  await debian.mosquitto(path('mosquitto_pub'), [...args, '-t', 'debian/shared', '-l'], input);
  const expected = messages(succeeded('mosquitto_sub', await all.ended));
  const got = (): string[] => members.flatMap((each) => messages(each.stdout));
  await eventually('all of them', () => got().length >= expected.length);
  assert.equal(got().sort(), expected.sort());
});

debian.test(MOSQUITTO, 'mosquitto, 5.0: a topic alias for every message after the first', async (path) => {
  const args = [...V5, '-q', '1', '-t', 'debian/alias'];
  const subscriber = await debian.mosquittoSub(path('mosquitto_sub'), [...args, '-C', '3']);
  const repeat = ['-m', 'x', '--repeat', '3', ...properties('publish', ['topic-alias', '2'])];
  await debian.mosquitto(path('mosquitto_pub'), [...args, ...repeat]);
  const seen = messages(succeeded('mosquitto_sub', await subscriber.ended));
  assert.equal(seen, Array(3).fill('debian/alias 1 0 x'));
});

debian.test(MOSQUITTO, 'mosquitto, 5.0: a message expires while its receiver is away', async (path) => {
  const session = [...V5, '-i', 'sleeper', '-c', '-x', '60', '-q', '1', '-t', 'debian/expiry'];
  await debian.mosquitto(path('mosquitto_sub'), [...session, '-E']);
  for (const [text, seconds] of [
    ['short', '1'],
    ['long', '100'],
  ] as const) {
    const expiry = properties('publish', ['message-expiry-interval', seconds]);
    await debian.mosquitto(path('mosquitto_pub'), [...V5, '-q', '1', '-t', 'debian/expiry', '-m', text, ...expiry]);
  }
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const again = await debian.mosquitto(path('mosquitto_sub'), [...session, '-F', '<%E %p>', '-C', '1']);
  assert.match(messages(again)[0] ?? '', /^9\d long$/);
});

debian.test(MOSQUITTO, 'mosquitto, 5.0: reason codes are shown', async (path) => {
  const to = [...at(debian.server.mqtt), ...V5, '-q', '1', '-d'];
  const refused = await execute(path('mosquitto_pub'), [...to, '-t', '$SYS/mine', '-m', 'x'], {}, 10_000);
  assert.match(refused.stdout + refused.stderr, /Not authorized/);
  const filter = await execute(path('mosquitto_sub'), [...to, '-t', '$share/g/$queue/x', '-W', '2'], {}, 10_000);
  assert.match(filter.stdout + filter.stderr, /Subscribed \(mid: \d+\): 1[2-6]\d|rejected|denied/i);
});

debian.test(['mosquitto_rr'], 'mosquitto_rr asks, an application answers over JSON', async (path) => {
  const service = await RawJson.connect(debian.server.http);
  try {
    await service.request({ type: 'subscribe', filter: 'debian/time/json' });
    const asker = debian.start(path('mosquitto_rr'), [
      ...[...at(debian.server.mqtt), ...V5, '-t', 'debian/time/json', '-e', 'debian/answers/json', '-m', 'now?'],
      ...['-W', '10', ...properties('publish', ['correlation-data', '42'])],
    ]);
    const request = await service.expect('message');
    assert.equal([request.replyTo, request.correlationId, request.payload], ['debian/answers/json', '42', 'now?']);
    const { replyTo, correlationId } = request;
    await service.request({ type: 'publish', topic: replyTo, correlationId, payload: 'noon' });
    assert.is(succeeded('mosquitto_rr', await asker.ended).trim(), 'noon');
  } finally {
    service.destroy();
  }
});

test.run();
