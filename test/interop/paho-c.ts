import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Child, execute } from '../support/child.ts';
import { RawMqtt } from '../support/mqtt-client.ts';
import { at, Debian, succeeded } from './support/debian.ts';

/** libpaho-mqtt, by its programs: paho_c_… is the asynchronous library, paho_cs_… the synchronous one. */

const test = suite('clients from Debian: libpaho-mqtt');
const debian = new Debian(test);

const TOOLS = ['paho_c_pub', 'paho_c_sub', 'paho_cs_pub', 'paho_cs_sub'] as const;
const PAIRS = [
  ['paho_c_sub', 2, 'paho_cs_pub'],
  ['paho_cs_sub', 1, 'paho_c_pub'],
] as const;
const VERSIONS = [
  ['31', '3.1'],
  ['311', '3.1.1'],
  ['5', '5.0'],
] as const;

const overTcp = (): string[] => at(debian.server.mqtt);
const overWebSocket = (): string[] => {
  const { host, port } = debian.server.http;
  return ['-c', `ws://${host}:${port}/mqtt`];
};

/** Milliseconds a publisher may take. */
const PATIENCE = 10_000;

let number = 0;

/** Runs one of the publishers to its end. */
async function publish(command: string, args: readonly string[]): Promise<void> {
  // Both libraries give all of their clients one identifier each, by default.
  succeeded(command, await execute(command, ['-i', `publisher-${++number}`, ...args], {}, PATIENCE));
}

/** One of the subscribers, when it has its SUBACK. It ends with the test: some of it does not end at SIGTERM. */
async function subscribe(command: string, args: readonly string[]): Promise<Child> {
  const child = debian.start('stdbuf', [
    '-oL',
    command,
    '-i',
    `subscriber-${++number}`,
    ...args,
    '--trace',
    'protocol',
  ]);
  await child.line(/<- SUBACK/);
  return child;
}

for (const [option, version] of VERSIONS) {
  for (const [transport, address] of [
    ['tcp', overTcp],
    ['ws', overWebSocket],
  ] as const) {
    for (const [subscriber, granted, publisher] of PAIRS) {
      debian.test(TOOLS, `${publisher} to ${subscriber}, ${version} over ${transport}: each QoS`, async (path) => {
        const common = [...address(), '-V', option];
        const topic = `paho/each/${++number}`;
        const sub = await subscribe(path(subscriber), [...common, '-q', String(granted), '-t', topic]);
        for (const qos of [0, 1, 2]) {
          await publish(path(publisher), [...common, '-q', String(qos), '-t', topic, '-m', `hello ${qos}`]);
          const at = Math.min(qos, granted);
          await sub.line(new RegExp(`<- PUBLISH msgid: \\d+ qos: ${at} retained: 0 .*: hello ${qos}`));
        }
      });
    }
  }

  debian.test(TOOLS, `libpaho-mqtt, ${version}: retained, and removed`, async (path) => {
    const common = [...overTcp(), '-V', option, '-q', '1', '-t', `paho/kept/${option}`];
    await publish(path('paho_c_pub'), [...common, '-r', '-m', 'state']);
    const first = await subscribe(path('paho_cs_sub'), common);
    await first.line(/<- PUBLISH .* retained: 1 .*: state/);
    await publish(path('paho_cs_pub'), [...common, '-r', '-n']);
    const second = await subscribe(path('paho_c_sub'), common);
    await publish(path('paho_c_pub'), [...common, '-m', 'live']);
    await second.line(/<- PUBLISH .* retained: 0 .*: live/);
    assert.not.match(second.stderr + second.stdout, /retained: 1/);
  });

  debian.test(TOOLS, `libpaho-mqtt, ${version}: the will of a process that is killed`, async (path) => {
    const witness = await RawMqtt.connect(debian.server.mqtt, { clientId: 'witness' });
    await witness.subscribe(`paho/will/${option}`, 2);
    const will = ['--will-topic', `paho/will/${option}`, '--will-payload', 'gone', '--will-qos', '1'];
    const lost = await subscribe(path('paho_c_sub'), [...overTcp(), '-V', option, '-t', 'paho/nothing', ...will]);
    lost.kill('SIGKILL');
    const { payload, qos } = await witness.expect('publish');
    assert.equal([payload.toString(), qos], ['gone', 1]);
    witness.destroy();
  });
}

debian.test(TOOLS, 'libpaho-mqtt, 5.0: properties of a message', async (path) => {
  const common = [...overTcp(), '-V', '5', '-q', '1'];
  // With a wildcard in its filter it tells properties.
  const sub = await subscribe(path('paho_c_sub'), [...common, '-t', 'paho/properties/#']);
  const properties = ['--message-expiry', '30', '--user-property', 'a', 'ü'];
  await publish(path('paho_c_pub'), [...common, '-t', 'paho/properties/x', '-m', 'x', ...properties]);
  await sub.line(/MESSAGE_EXPIRY_INTERVAL value (30|29)$/);
  await sub.line(/USER_PROPERTY key a value ü$/);
});

debian.test(TOOLS, 'libpaho-mqtt, 5.0: a shared subscription, each message to one', async (path) => {
  const common = [...overTcp(), '-V', '5', '-q', '1'];
  const members = [
    await subscribe(path('paho_c_sub'), [...common, '-t', '$share/paho/shared/x']),
    await subscribe(path('paho_cs_sub'), [...common, '-t', '$share/paho/shared/x']),
  ];
  const all = await subscribe(path('paho_cs_sub'), [...common, '-t', 'shared/x']);
  for (const text of ['m1', 'm2', 'm3', 'm4']) {
    await publish(path('paho_c_pub'), [...common, '-t', 'shared/x', '-m', text]);
    await all.line(new RegExp(`<- PUBLISH .*: ${text}`));
  }
  const got = members.flatMap(({ stdout, stderr }) => [...`${stdout}${stderr}`.matchAll(/PUBLISH .*: (m\d)/g)]);
  assert.equal(got.map(([, text]) => text).sort(), ['m1', 'm2', 'm3', 'm4']);
});

debian.test(TOOLS, 'libpaho-mqtt, 5.0: the reason of a refusal is shown', async (path) => {
  const asynchronous = debian.start(path('paho_c_sub'), [...overTcp(), '-V', '5', '-t', '$share/g+/x']);
  await asynchronous.line(/reason code Topic filter invalid/);
  const synchronous = debian.start(path('paho_cs_sub'), [...overTcp(), '-V', '5', '-t', '$share/g+/x']);
  await synchronous.line(/Error 143 subscribing/);
});

debian.test(TOOLS, 'libpaho-mqtt: 900 kB, both ways', async (path) => {
  const witness = await RawMqtt.connect(debian.server.mqtt, { clientId: 'large' });
  await witness.subscribe('paho/large', 1);
  const text = 'large '.repeat(150_000);
  const file = join(mkdtempSync(join(tmpdir(), 'paho-')), 'large');
  writeFileSync(file, text);
  const common = [...overTcp(), '-V', '311', '-q', '2', '-t', 'paho/large'];
  const sub = await subscribe(path('paho_cs_sub'), common);
  await publish(path('paho_c_pub'), [...common, '-f', file]);
  assert.is((await witness.expect('publish')).payload.toString(), text);
  await sub.line(/payload len\(900000\)/);
  witness.destroy();
});

test.run();
