import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RawStomp } from '../support/stomp-client.ts';
import { Debian, messages, sorted, told } from './support/debian.ts';

/** Python's clients for MQTT and STOMP, as Debian has them; and with mosquitto's in one talk. */

const test = suite('clients from Debian: Python');
const debian = new Debian(test);

/** Sends to all in the talk, as an application over STOMP would; durable, so that it comes after what came before. */
async function tell(text: string): Promise<void> {
  const client = await RawStomp.connect(debian.server.stomp);
  client.send('SEND', { destination: '/topic/talk.all', receipt: 'r' }, text);
  await client.expect('RECEIPT');
  client.destroy();
}

for (const version of ['3.1.1', '5.0']) {
  for (const transport of ['tcp', 'websockets']) {
    debian.test(
      ['paho-mqtt'],
      `python3-paho-mqtt, ${version} over ${transport}: each QoS, there and back`,
      async (path) => {
        const name = `paho-${transport}-${version.charAt(0)}`;
        const client = await debian.paho(path('paho-mqtt'), version, name, transport);
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
          topic: `talk/${name}`,
          qos,
          retain: false,
          text: `${name} by ${qos}`,
          ...extras,
        }));
        const from = (text: string) => ({ topic: 'talk/all', qos: 1, retain: false, text, user: [], type: '' });
        assert.equal(sorted(seen), sorted([from('go'), ...own, from('end')]));
      },
    );
  }
}

debian.test(['paho-mqtt'], 'python3-paho-mqtt: the will of a process that crashes', async (path) => {
  const witness = await RawStomp.connect(debian.server.stomp);
  witness.send('SUBSCRIBE', { id: '0', destination: '/topic/talk.will' });
  await witness.flush();
  const client = await debian.paho(path('paho-mqtt'), '5.0', 'fragile');
  await tell('crash');
  assert.is((await witness.expect('MESSAGE')).body.toString(), 'fragile is gone');
  assert.is((await client.ended).code, 9);
  witness.destroy();
});

for (const version of ['1.0', '1.1', '1.2']) {
  debian.test(['stomp.py'], `python3-stomp, ${version}: topic, receipt, transaction, queue`, async (path) => {
    const name = `py${version.charAt(2)}`;
    const client = await debian.stompPy(path('stomp.py'), version, name);
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
          destination: `/queue/jobs.${name}`,
          type: 'text/plain',
          text: `${name} by queue`,
          from: '',
          persistent: '',
        },
        from('end'),
        'over',
      ]),
    );
    // It has acknowledged its job: nobody else gets it.
    const other = await RawStomp.connect(debian.server.stomp);
    other.send('SUBSCRIBE', { id: '0', destination: `/queue/jobs.${name}` });
    assert.equal(await other.flush(), []);
    other.destroy();
  });
}

debian.test(
  ['mosquitto_sub', 'mosquitto_pub', 'paho-mqtt', 'stomp.py'],
  'all of them in one talk: each says something, and each hears all',
  async (path) => {
    const listener = await debian.mosquittoSub(path('mosquitto_sub'), ['-V', 'mqttv311', '-q', '2', '-t', 'talk/#']);
    const voices = await Promise.all([
      debian.paho(path('paho-mqtt'), '3.1.1', 'paho4'),
      debian.paho(path('paho-mqtt'), '5.0', 'paho5', 'websockets'),
      debian.stompPy(path('stomp.py'), '1.2', 'stompy'),
    ]);
    await debian.mosquitto(path('mosquitto_pub'), ['-V', 'mqttv5', '-q', '1', '-t', 'talk/all', '-m', 'go']);
    const said = [
      ...['paho4', 'paho5'].flatMap((name) => [0, 1, 2].map((qos) => `${name} by ${qos}`)),
      ...['stompy by send', 'stompy by transaction'],
    ];
    for (const each of [listener, ...voices]) {
      for (const text of said) await each.line(new RegExp(text));
    }
    await debian.mosquitto(path('mosquitto_pub'), ['-V', 'mqttv311', '-q', '1', '-t', 'talk/all', '-m', 'end']);
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

test.run();
