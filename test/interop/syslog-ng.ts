import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Address } from '../../src/broker.ts';
import { startBroker, type TestBroker } from '../support/broker.ts';
import { Child } from '../support/child.ts';
import { eventually } from '../support/eventually.ts';
import { header, RawStomp } from '../support/stomp-client.ts';
import { requireTool } from '../support/tools.ts';

/**
 * syslog-ng, a program in C that sends log messages to a STOMP destination: of Debian's syslog-ng-mod-stomp. It speaks 1.0, only
 * sends, and with `ack(yes)` waits for the receipt of each message before the next.
 */

const test = suite('syslog-ng');
const children: Child[] = [];
const folders: string[] = [];
const brokers: TestBroker[] = [];

test.after.each(async () => {
  for (const each of children) each.kill('SIGKILL');
  await Promise.all(children.splice(0).map((each) => each.ended.catch(() => {})));
  await Promise.all(brokers.splice(0).map(({ broker }) => broker.stop()));
  for (const each of folders.splice(0)) rmSync(each, { recursive: true });
});

const step = (title: string, body: (path: string) => Promise<void>): void =>
  requireTool(test, 'syslog-ng', title, body);

async function broker(...config: Parameters<typeof startBroker>): Promise<TestBroker> {
  const started = await startBroker(...config);
  brokers.push(started);
  return started;
}

/** Lines of its standard input are log messages. It has all of its files in a folder of its own. */
function syslog(path: string, { host, port }: Address, options: string): Child {
  const folder = mkdtempSync(join(tmpdir(), 'syslog-ng-'));
  folders.push(folder);
  const file = (name: string): string => join(folder, name);
  writeFileSync(
    file('conf'),
    `@version: current
options { time-reopen(1); };
source lines { stdin(flags(no-parse)); };
destination broker {
  stomp(host("${host}") port(${port}) body("$MESSAGE") ${options}
    value-pairs(pair("severity" "$PRIORITY") pair("place" "Küche: 1")));
};
log { source(lines); destination(broker); };
`,
  );
  const child = new Child(
    path,
    [
      ...['--foreground', '--stderr', '--verbose', '--debug', '--no-caps'],
      `--cfgfile=${file('conf')}`,
      `--persist-file=${file('persist')}`,
      `--pidfile=${file('pid')}`,
      `--control=${file('control')}`,
    ],
    { onLine: () => {} },
  );
  children.push(child);
  return child;
}

const lines = (count: number, name: string): string[] => Array.from({ length: count }, (_, i) => `${name} ${i}: 21 °C`);
const written = (texts: readonly string[]): string => texts.map((text) => `${text}\n`).join('');

async function subscribe(reader: RawStomp, destination: string): Promise<void> {
  reader.send('SUBSCRIBE', { id: 'logs', destination, receipt: 'subscribed' });
  await reader.expect('RECEIPT');
}

async function take(reader: RawStomp, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) taken.push((await reader.expect('MESSAGE')).body.toString());
  return taken;
}

for (const [destination, ack] of [
  ['/queue/logs', 'yes'],
  ['/topic/logs.kitchen', 'yes'],
  ['/topic/logs.kitchen', 'no'],
] as const) {
  step(`${destination}, ack(${ack}): each message in order, with its headers`, async (path) => {
    const { stomp } = await broker();
    const reader = await RawStomp.connect(stomp);
    await subscribe(reader, destination);
    const sent = lines(200, 'log');
    const child = syslog(path, stomp, `destination("${destination}") persistent(yes) ack(${ack})`);
    child.write(written(sent));
    const first = await reader.expect('MESSAGE');
    for (const [name, value] of Object.entries({
      destination,
      persistent: 'true',
      severity: 'notice',
      place: 'Küche: 1',
    }))
      assert.is(header(first, name), value, name);
    assert.equal([first.body.toString(), ...(await take(reader, sent.length - 1))], sent);
    reader.destroy();
  });
}

step('username and password; a wrong one is refused again and again, and nothing arrives', async (path) => {
  const { stomp, broker: guarded } = await broker({ security: { users: [{ name: 'ann', password: 'secret' }] } });
  const reader = await RawStomp.connect(stomp, { login: 'ann', passcode: 'secret' });
  await subscribe(reader, '/queue/logs');
  const wrong = syslog(path, stomp, 'destination("/queue/logs") username("ann") password("wrong") ack(yes)');
  wrong.write('from a stranger\n');
  await wrong.line(/did not accept CONNECT/);
  const right = syslog(path, stomp, 'destination("/queue/logs") username("ann") password("secret") ack(yes)');
  right.write('from ann\n');
  assert.equal(await take(reader, 1), ['from ann']);
  await eventually('the reader and ann', () => guarded.counters.clients === 2);
  reader.destroy();
});

step('the broker goes and comes back: what was logged meanwhile arrives', async (path) => {
  const first = await broker();
  const child = syslog(path, first.stomp, 'destination("/queue/logs") ack(yes)');
  child.write('before\n');
  const reader = await RawStomp.connect(first.stomp);
  await subscribe(reader, '/queue/logs');
  assert.equal(await take(reader, 1), ['before']);
  await first.broker.stop();
  const meanwhile = lines(10, 'meanwhile');
  child.write(written(meanwhile));
  await child.line(/ERROR frame received|Stomp connection failed|Error while inserting|connection failed/i);
  const { stomp } = await broker({ listeners: { stomp: { port: first.stomp.port } } });
  const again = await RawStomp.connect(stomp);
  await subscribe(again, '/queue/logs');
  assert.equal(await take(again, meanwhile.length), meanwhile);
  again.destroy();
});

test.run();
