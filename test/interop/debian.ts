import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Address } from '../../src/broker.ts';
import { startBroker, type TestBroker } from '../support/broker.ts';
import { Child, type Ended, execute } from '../support/child.ts';
import { header, RawStomp } from '../support/stomp-client.ts';
import { findTool, requireTool, type ToolName } from '../support/tools.ts';

/** The clients that Debian has: those of mosquitto, and Python's for MQTT and STOMP. Each is a process of its own. */

const test = suite('clients from Debian');
let server: TestBroker;
const children: Child[] = [];

test.before(async () => {
  server = await startBroker();
});
test.after(() => server.broker.stop());
test.after.each(async () => {
  for (const each of children) each.kill('SIGKILL');
  await Promise.all(children.splice(0).map((each) => each.ended.catch(() => {})));
});

function start(command: string, args: readonly string[]): Child {
  const child = new Child(command, args);
  children.push(child);
  return child;
}

/** Milliseconds a client may take for what it is to do. */
const PATIENCE = 15_000;

function succeeded(what: string, { code, signal, stdout, stderr }: Ended): string {
  assert.is(code, 0, `${what} ended with ${code ?? signal}\n${stdout}\n${stderr}`);
  return stdout;
}

/** A test that needs several tools, with the path of each. */
function requireAll<const Names extends readonly [ToolName, ...ToolName[]]>(
  names: Names,
  title: string,
  body: (path: (name: Names[number]) => string) => Promise<void>,
): void {
  const paths = new Map<ToolName, string | undefined>(names.map((name) => [name, findTool(name)]));
  const missing = names.find((name) => paths.get(name) === undefined);
  requireTool(test, missing ?? names[0], title, () => body((name) => paths.get(name) ?? name));
}

// --- mosquitto's ------------------------------------------------------------------------------------------------------

const MOSQUITTO = ['mosquitto_sub', 'mosquitto_pub'] as const;
const VERSIONS = [
  ['mqttv311', '3.1.1'],
  ['mqttv5', '5.0'],
] as const;

const at = ({ host, port }: Address): string[] => ['-h', host, '-p', String(port)];

/** Subscribes, and returns when the broker has answered: each message is a line `<topic qos retained payload>`. */
async function subscribe(command: string, args: readonly string[]): Promise<Child> {
  // Into a pipe it would write its lines only when many have come together.
  const child = start('stdbuf', ['-oL', command, ...at(server.mqtt), '-d', '-F', '<%t %q %r %p>', ...args]);
  await child.line(/^Subscribed \(mid/);
  return child;
}

async function publish(command: string, args: readonly string[]): Promise<void> {
  succeeded('mosquitto_pub', await execute(command, [...at(server.mqtt), ...args], {}, PATIENCE));
}

const messages = (output: string): string[] => [...output.matchAll(/^<(.*)>$/gm)].map(([, line = '']) => line);

for (const [option, version] of VERSIONS) {
  const common = ['-V', option];

  requireAll(MOSQUITTO, `mosquitto_pub to mosquitto_sub, ${version}: each QoS to each`, async (path) => {
    const subscribers = await Promise.all(
      [0, 1, 2].map((qos) =>
        subscribe(path('mosquitto_sub'), [...common, '-q', String(qos), '-t', 'debian/+/qos', '-C', '3']),
      ),
    );
    for (const qos of [0, 1, 2]) {
      await publish(path('mosquitto_pub'), [...common, '-q', String(qos), '-t', `debian/${qos}/qos`, '-m', 'hello']);
    }
    for (const [granted, subscriber] of subscribers.entries()) {
      assert.equal(
        messages(succeeded('mosquitto_sub', await subscriber.ended)).sort(),
        [0, 1, 2].map((qos) => `debian/${qos}/qos ${Math.min(qos, granted)} 0 hello`),
      );
    }
  });

  requireAll(MOSQUITTO, `mosquitto, ${version}: many messages of one publisher, in order`, async (path) => {
    const lines = Array.from({ length: 1000 }, (_, i) => `line ${i}`);
    for (const qos of ['0', '1', '2']) {
      const args = [...common, '-q', qos, '-t', `debian/many/${qos}`];
      const subscriber = await subscribe(path('mosquitto_sub'), [...args, '-C', String(lines.length)]);
      const input = lines.join('\n');
      const publisher = [...at(server.mqtt), ...args, '-l'];
      succeeded('mosquitto_pub', await execute(path('mosquitto_pub'), publisher, { input }, PATIENCE));
      assert.equal(
        messages(succeeded('mosquitto_sub', await subscriber.ended)),
        lines.map((line) => `debian/many/${qos} ${qos} 0 ${line}`),
      );
    }
  });

  requireAll(MOSQUITTO, `mosquitto, ${version}: retained, and removed`, async (path) => {
    const retained = [...common, '-q', '1', '-t', 'debian/kept', '-r'];
    await publish(path('mosquitto_pub'), [...retained, '-m', 'state']);
    const first = await subscribe(path('mosquitto_sub'), [...common, '-q', '1', '-t', 'debian/kept', '-C', '1']);
    assert.equal(messages(succeeded('mosquitto_sub', await first.ended)), ['debian/kept 1 1 state']);
    await publish(path('mosquitto_pub'), [...retained, '-n']);
    const second = await subscribe(path('mosquitto_sub'), [...common, '-q', '1', '-t', 'debian/kept', '-C', '1']);
    await publish(path('mosquitto_pub'), [...common, '-q', '1', '-t', 'debian/kept', '-m', 'live']);
    assert.equal(messages(succeeded('mosquitto_sub', await second.ended)), ['debian/kept 1 0 live']);
  });

  requireAll(MOSQUITTO, `mosquitto, ${version}: the will of a client that is killed`, async (path) => {
    const watcher = await subscribe(path('mosquitto_sub'), [...common, '-q', '2', '-t', 'debian/will', '-C', '1']);
    const will = ['--will-topic', 'debian/will', '--will-payload', 'gone', '--will-qos', '2'];
    const device = await subscribe(path('mosquitto_sub'), [...common, '-t', 'debian/nothing', ...will]);
    device.kill('SIGKILL');
    assert.equal(messages(succeeded('mosquitto_sub', await watcher.ended)), ['debian/will 2 0 gone']);
  });

  requireAll(MOSQUITTO, `mosquitto, ${version}: a session goes on, with what was published meanwhile`, async (path) => {
    const session = [
      ...[...common, '-i', `debian-${version}`, '-c', '-q', '1', '-t', 'debian/session'],
      ...(version === '5.0' ? ['-x', '60'] : []),
    ];
    const leaving = [...at(server.mqtt), ...session, '-E'];
    succeeded('mosquitto_sub', await execute(path('mosquitto_sub'), leaving, {}, PATIENCE));
    for (const text of ['one', 'two']) {
      await publish(path('mosquitto_pub'), [...common, '-q', '1', '-t', 'debian/session', '-m', text]);
    }
    const args = [...at(server.mqtt), ...session, '-F', '<%t %q %r %p>', '-C', '2'];
    const again = await execute(path('mosquitto_sub'), args, {}, PATIENCE);
    assert.equal(messages(succeeded('mosquitto_sub', again)), ['debian/session 1 0 one', 'debian/session 1 0 two']);
  });
}

requireAll(MOSQUITTO, 'mosquitto, 5.0: properties', async (path) => {
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
  const subscriber = await subscribe(path('mosquitto_sub'), [...args, '-F', format]);
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
  await publish(path('mosquitto_pub'), ['-V', 'mqttv5', '-t', 'debian/properties', '-m', 'x', ...properties]);
  assert.equal(messages(succeeded('mosquitto_sub', await subscriber.ended)), [
    'text/plain|debian/answers|c-1|a:1 a:2|1|9|x',
  ]);
});

requireAll(['mosquitto_rr'], 'mosquitto_rr asks, an application answers over STOMP', async (path) => {
  const service = await RawStomp.connect(server.stomp);
  try {
    service.send('SUBSCRIBE', { id: '0', destination: '/topic/debian.time' });
    await service.flush();
    const args = ['-V', 'mqttv5', '-t', 'debian/time', '-e', 'debian/answers/rr', '-m', 'now?', '-W', '10'];
    const asker = start(path('mosquitto_rr'), [...at(server.mqtt), ...args, '-D', 'publish', 'correlation-data', '42']);
    const request = await service.expect('MESSAGE');
    const destination = header(request, 'reply-to') ?? '';
    assert.equal([destination, request.body.toString()], ['/topic/debian.answers.rr', 'now?']);
    service.send('SEND', { destination, 'correlation-id': header(request, 'correlation-id') ?? '' }, 'noon');
    assert.is(succeeded('mosquitto_rr', await asker.ended).trim(), 'noon');
  } finally {
    service.destroy();
  }
});

// --- Python's ---------------------------------------------------------------------------------------------------------

/** Connects, and says what it receives, a line of JSON each. At the message `go` it sends its own. Ends at `end`. */
const PAHO = `
import json, sys
import paho.mqtt.client as mqtt
from paho.mqtt.properties import Properties
from paho.mqtt.packettypes import PacketTypes

host, port, version, transport, name = sys.argv[1:6]
five = version == '5.0'
client = mqtt.Client(client_id=name, protocol=mqtt.MQTTv5 if five else mqtt.MQTTv311, transport=transport)
if transport == 'websockets':
    client.ws_set_options(path='/mqtt')

def say(what):
    print(json.dumps(what, sort_keys=True), flush=True)

def on_connect(client, userdata, flags, code, properties=None):
    say({'connected': str(code)})
    client.subscribe('talk/#', 2)

def on_message(client, userdata, message):
    text = message.payload.decode()
    properties = message.properties.json() if five else {}
    say({'topic': message.topic, 'qos': message.qos, 'retain': bool(message.retain), 'text': text,
         'user': properties.get('UserProperty', []), 'type': properties.get('ContentType', '')})
    if text == 'go':
        for qos in (0, 1, 2):
            properties = None
            if five:
                properties = Properties(PacketTypes.PUBLISH)
                properties.ContentType = 'text/plain'
                properties.UserProperty = [('from', name), ('from', 'paho')]
            client.publish('talk/' + name, name + ' by ' + str(qos), qos, properties=properties)
    if text == 'end':
        client.disconnect()
    if text == 'crash':
        import os
        os._exit(9)

client.will_set('talk/will', name + ' is gone', 1)
client.on_connect = on_connect
client.on_message = on_message
client.on_subscribe = lambda *rest: say('ready')
client.connect(host, int(port), 30)
client.loop_forever()
`;

/** The same over STOMP; what it sends, it sends with a receipt, in a transaction, and to a queue that it works off. */
const STOMP = `
import json, sys, threading
import stomp

host, port, version, name = sys.argv[1:5]
kind = {'1.0': stomp.Connection10, '1.1': stomp.Connection11, '1.2': stomp.Connection12}[version]
beats = {} if version == '1.0' else {'heartbeats': (1000, 1000)}
connection = kind([(host, int(port))], **beats)
done = threading.Event()

def say(what):
    print(json.dumps(what, sort_keys=True), flush=True)

class Listener(stomp.ConnectionListener):
    def on_connected(self, frame):
        say({'connected': frame.headers.get('version', '1.0')})
    def on_error(self, frame):
        say({'error': frame.headers.get('message')})
        done.set()
    def on_disconnected(self):
        done.set()
    def on_receipt(self, frame):
        receipt = frame.headers['receipt-id']
        if receipt == 'subscribed':
            say('ready')
        elif receipt != 'bye':
            say({'receipt': receipt})
    def on_message(self, frame):
        headers = frame.headers
        say({'destination': headers['destination'], 'text': frame.body, 'from': headers.get('from', ''),
             'type': headers.get('content-type', ''), 'persistent': headers.get('persistent', '')})
        if headers['destination'].startswith('/queue/'):
            token = headers['ack'] if version == '1.2' else headers['message-id']
            if version == '1.1':
                connection.ack(token, headers['subscription'])
            else:
                connection.ack(token)
            return
        if frame.body == 'go':
            topic = '/topic/talk.' + name
            connection.send(topic, name + ' by send', content_type='text/plain', receipt='sent', headers={'from': name})
            transaction = connection.begin()
            connection.send(topic, name + ' by transaction', content_type='text/plain', transaction=transaction)
            connection.commit(transaction)
            connection.send('/queue/jobs.' + name, name + ' by queue', content_type='text/plain')
        if frame.body == 'end':
            done.set()

connection.set_listener('', Listener())
connection.connect(wait=True)
connection.subscribe('/queue/jobs.' + name, id='jobs', ack='client' if version == '1.0' else 'client-individual')
connection.subscribe('/topic/talk.#', id='talk', ack='auto', headers={'receipt': 'subscribed'})
done.wait(${PATIENCE / 1000})
if connection.is_connected():
    connection.disconnect(receipt='bye')
say('over')
`;

/** A Python program that is ready to receive. */
async function python(command: string, script: string, args: readonly string[]): Promise<Child> {
  const child = start(command, ['-c', script, ...args]);
  await child.line(/^"ready"$/, PATIENCE);
  return child;
}

const paho = (command: string, version: string, name: string, transport = 'tcp'): Promise<Child> => {
  const { host, port } = transport === 'tcp' ? server.mqtt : server.http;
  return python(command, PAHO, [host, String(port), version, transport, name]);
};

const stompPy = (command: string, version: string, name: string): Promise<Child> =>
  python(command, STOMP, [server.stomp.host, String(server.stomp.port), version, name]);

/** What it said, after its end. */
async function told(what: string, child: Child): Promise<unknown[]> {
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
  try {
    return succeeded(what, await child.ended)
      .split('\n')
      .filter((line) => line !== '')
      .map((line): unknown => JSON.parse(line));
  } finally {
    clearTimeout(timer);
  }
}

/** Sends to all in the talk, as an application over STOMP would; durable, so that it comes after what came before. */
async function tell(text: string): Promise<void> {
  const client = await RawStomp.connect(server.stomp);
  client.send('SEND', { destination: '/topic/talk.all', receipt: 'r' }, text);
  await client.expect('RECEIPT');
  client.destroy();
}

for (const version of ['3.1.1', '5.0']) {
  for (const transport of ['tcp', 'websockets']) {
    requireAll(
      ['paho-mqtt'],
      `python3-paho-mqtt, ${version} over ${transport}: each QoS, there and back`,
      async (path) => {
        const name = `paho-${transport}-${version.charAt(0)}`;
        const client = await paho(path('paho-mqtt'), version, name, transport);
        await tell('go');
        await client.line(new RegExp(`${name} by 2`));
        await client.line(new RegExp(`${name} by 0`));
        await tell('end');
        const extras =
          version === '5.0'
            ? {
                user: [
                  ['from', name],
                  ['from', 'paho'],
                ],
                type: 'text/plain',
              }
            : { user: [], type: '' };
        const seen = (await told('paho', client)).slice(2);
        const own = [0, 1, 2].map((qos) => ({
          ...{ topic: `talk/${name}`, qos, retain: false, text: `${name} by ${qos}` },
          ...extras,
        }));
        const from = (text: string) => ({ topic: 'talk/all', qos: 1, retain: false, text, user: [], type: '' });
        assert.equal(sorted(seen), sorted([from('go'), ...own, from('end')]));
      },
    );
  }
}

requireAll(['paho-mqtt'], 'python3-paho-mqtt: the will of a process that crashes', async (path) => {
  const witness = await RawStomp.connect(server.stomp);
  witness.send('SUBSCRIBE', { id: '0', destination: '/topic/talk.will' });
  await witness.flush();
  const client = await paho(path('paho-mqtt'), '5.0', 'fragile');
  await tell('crash');
  assert.is((await witness.expect('MESSAGE')).body.toString(), 'fragile is gone');
  assert.is((await client.ended).code, 9);
  witness.destroy();
});

for (const version of ['1.0', '1.1', '1.2']) {
  requireAll(['stomp.py'], `python3-stomp, ${version}: topic, receipt, transaction, queue`, async (path) => {
    const name = `py${version.charAt(2)}`;
    const client = await stompPy(path('stomp.py'), version, name);
    await tell('go');
    for (const what of ['by send', 'by transaction', 'by queue']) await client.line(new RegExp(`${name} ${what}`));
    await client.line(/"receipt": "sent"/);
    await tell('end');
    const seen = await told('stomp.py', client);
    const from = (text: string) => ({ destination: '/topic/talk.all', text, from: '', type: '', persistent: 'true' });
    const own = { destination: `/topic/talk.${name}`, type: 'text/plain' };
    assert.equal(
      sorted(seen),
      sorted([
        { connected: version },
        'ready',
        from('go'),
        { ...own, text: `${name} by send`, from: name, persistent: 'true' },
        { receipt: 'sent' },
        { ...own, text: `${name} by transaction`, from: '', persistent: '' },
        {
          ...{ destination: `/queue/jobs.${name}`, type: 'text/plain' },
          ...{ text: `${name} by queue`, from: '', persistent: '' },
        },
        from('end'),
        'over',
      ]),
    );
    // It has acknowledged its job: nobody else gets it.
    const other = await RawStomp.connect(server.stomp);
    other.send('SUBSCRIBE', { id: '0', destination: `/queue/jobs.${name}` });
    assert.equal(await other.flush(), []);
    other.destroy();
  });
}

requireAll(
  ['mosquitto_sub', 'mosquitto_pub', 'paho-mqtt', 'stomp.py'],
  'all of them in one talk: each says something, and each hears all',
  async (path) => {
    const listener = await subscribe(path('mosquitto_sub'), ['-V', 'mqttv311', '-q', '2', '-t', 'talk/#']);
    const voices = await Promise.all([
      paho(path('paho-mqtt'), '3.1.1', 'paho4'),
      paho(path('paho-mqtt'), '5.0', 'paho5', 'websockets'),
      stompPy(path('stomp.py'), '1.2', 'stompy'),
    ]);
    await publish(path('mosquitto_pub'), ['-V', 'mqttv5', '-q', '1', '-t', 'talk/all', '-m', 'go']);
    const said = [
      ...['paho4', 'paho5'].flatMap((name) => [0, 1, 2].map((qos) => `${name} by ${qos}`)),
      ...['stompy by send', 'stompy by transaction'],
    ];
    for (const each of [listener, ...voices]) {
      for (const text of said) await each.line(new RegExp(text));
    }
    await publish(path('mosquitto_pub'), ['-V', 'mqttv311', '-q', '1', '-t', 'talk/all', '-m', 'end']);
    for (const each of voices) {
      const { length } = (await told('a voice', each)).filter((line) => JSON.stringify(line).includes(' by '));
      // The one over STOMP has its queue, too.
      assert.is(length, each === voices[2] ? said.length + 1 : said.length);
    }
    await listener.line(/talk\/all 1 0 end/);
    listener.kill('SIGTERM');
    const heard = messages((await listener.ended).stdout).map((line) => line.replace(/^\S+ \d \d /, ''));
    assert.equal(sorted(heard), sorted(['go', ...said, 'end']));
  },
);

/** Without an order between messages of different topics and protocols. */
function sorted(items: readonly unknown[]): string[] {
  return items.map((item) => JSON.stringify(ordered(item))).sort();
}

function ordered(item: unknown): unknown {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
  return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
}

test.run();
