import { type Browser, chromium, type Locator, type Page } from 'playwright-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startBroker, type TestBroker } from '../support/broker.ts';
import { eventually } from '../support/eventually.ts';
import { header, RawStomp } from '../support/stomp-client.ts';
import { requireTool } from '../support/tools.ts';
import { MqttJs } from './support/mqttjs.ts';

/** The chat page in Debian's Chromium, with an MQTT device and a STOMP application in the same room. */

const ARGUMENTS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync'],
];
/** Milliseconds for whatever the browser is asked. */
const PATIENCE = 10_000;

const test = suite('chat page');
let server: TestBroker;
let browser: Browser | undefined;
/** Errors on the pages, and requests to elsewhere. */
let faults: string[] = [];
let ends: (() => void)[] = [];

test.before(async () => {
  server = await startBroker();
});
test.after(async () => {
  await browser?.close();
  await server.broker.stop();
});
test.after.each(async () => {
  for (const end of ends) end();
  ends = [];
  for (const context of browser?.contexts() ?? []) await context.close();
});

const address = (): string => `http://${server.http.host}:${server.http.port}/chat`;

/** A visitor with a browser profile of their own. */
async function visit(executablePath: string, hash = ''): Promise<Page> {
  browser ??= await chromium.launch({ executablePath, args: ARGUMENTS, timeout: 30_000 });
  const context = await browser.newContext({ viewport: { width: 1100, height: 760 } });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(new URL(address()).origin)) faults.push(`request: ${request.url()}`);
  });
  await page.goto(address() + hash);
  return page;
}

async function isConnected(page: Page): Promise<void> {
  await page.locator('[data-testid="status"][data-state="connected"]').waitFor();
}

async function join(page: Page, room: string, name: string): Promise<void> {
  await page.getByTestId('room').fill(room);
  await page.getByTestId('name').fill(name);
  await page.getByTestId('join').click();
  await isConnected(page);
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByTestId('input').fill(text);
  await page.getByTestId('send').click();
}

interface Shown {
  readonly protocol: string | null;
  readonly from: string | null;
  readonly text: string | null;
}

/** The messages on the page, once there are that many. */
async function shown(page: Page, count: number): Promise<Shown[]> {
  const items: Locator = page.getByTestId('messages').locator('li');
  await eventually(`${count} messages`, async () => (await items.count()) >= count, PATIENCE);
  return Promise.all(
    (await items.all()).map(async (item) => ({
      protocol: await item.getAttribute('data-protocol'),
      from: await item.locator('.from').textContent(),
      text: await item.locator('.text').textContent(),
    })),
  );
}

async function device(clientId: string, protocolVersion: 4 | 5 = 5): Promise<MqttJs> {
  const { host, port } = server.mqtt;
  const [client] = await MqttJs.connect(`mqtt://${host}:${port}`, { clientId, protocolVersion });
  ends.push(() => client.destroy());
  return client;
}

async function application(): Promise<RawStomp> {
  const client = await RawStomp.connect(server.stomp);
  ends.push(() => client.destroy());
  return client;
}

requireTool(test, 'chromium', 'two browsers, a device and an application in one room', async (path) => {
  faults = [];
  const [ada, ben] = [await visit(path), await visit(path)];
  await join(ada, 'lobby', 'Ada');
  await join(ben, 'lobby', 'Ben');
  const meter = await device('meter-7');
  await meter.subscribe('chat/lobby', { qos: 1 });
  const ledger = await application();
  ledger.send('SUBSCRIBE', { id: '0', destination: '/topic/chat.lobby' });
  await ledger.flush();

  const said: Shown[] = [];
  /** All four see it, and who said it, and by which protocol. */
  const allSee = async (protocol: string, from: string, text: string): Promise<void> => {
    said.push({ protocol, from, text });
    for (const page of [ada, ben]) assert.equal(await shown(page, said.length), said);
    assert.is((await meter.next()).payload.toString(), text);
    const frame = await ledger.expect('MESSAGE');
    assert.equal([frame.body.toString(), header(frame, 'destination')], [text, '/topic/chat.lobby']);
  };
  await say(ada, 'Hello all');
  await allSee('websocket', 'Ada', 'Hello all');
  await say(ben, 'Grüß dich 👋');
  await allSee('websocket', 'Ben', 'Grüß dich 👋');
  await meter.publish('chat/lobby', '21.5 °C', { qos: 1 });
  await allSee('mqtt', 'meter-7', '21.5 °C');
  await meter.publish('chat/lobby', 'named', { properties: { userProperties: { from: 'Kitchen' } } });
  await allSee('mqtt', 'Kitchen', 'named');
  ledger.send('SEND', { destination: '/topic/chat.lobby', from: 'ledger', 'content-type': 'text/plain' }, 'booked');
  await allSee('stomp', 'ledger', 'booked');
  assert.is(await ada.getByTestId('messages').locator('li.own').count(), 1);
  assert.equal(await ada.getByTestId('messages').locator('.badge').allTextContents(), [
    'WebSocket',
    'WebSocket',
    'MQTT',
    'MQTT',
    'STOMP',
  ]);
  assert.is(await ada.getByTestId('problem').textContent(), '');
  assert.equal(faults, []);
});

requireTool(test, 'chromium', 'what a page sends carries its name and content type to MQTT and STOMP', async (path) => {
  const ada = await visit(path);
  await join(ada, 'headers', 'Ada');
  const meter = await device('meter');
  await meter.subscribe('chat/headers', { qos: 1 });
  const ledger = await application();
  ledger.send('SUBSCRIBE', { id: '0', destination: '/topic/chat.headers' });
  await ledger.flush();
  // The Enter key sends, too.
  await ada.getByTestId('input').fill('signed');
  await ada.getByTestId('input').press('Enter');
  const { qos, properties } = await meter.next();
  assert.equal([qos, properties?.contentType, properties?.userProperties?.from], [1, 'text/plain', 'Ada']);
  const frame = await ledger.expect('MESSAGE');
  assert.equal([header(frame, 'content-type'), header(frame, 'from')], ['text/plain', 'Ada']);
  assert.is(await ada.getByTestId('input').inputValue(), '');
});

requireTool(test, 'chromium', 'HTML in texts and names is not interpreted', async (path) => {
  faults = [];
  const page = await visit(path);
  const title = 'safe – Trimaran chat';
  await join(page, 'safe', '<b>Eve</b>');
  const evil = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script><b>bold</b>&amp;`;
  await say(page, evil);
  const meter = await device('<i>meter</i>', 4);
  await meter.publish('chat/safe', evil, { qos: 1 });
  const ledger = await application();
  ledger.send('SEND', { destination: '/topic/chat.safe', from: '<u>ledger</u>', 'content-type': 'text/html' }, evil);
  assert.equal(await shown(page, 3), [
    { protocol: 'websocket', from: '<b>Eve</b>', text: evil },
    { protocol: 'mqtt', from: '<i>meter</i>', text: evil },
    { protocol: 'stomp', from: '<u>ledger</u>', text: evil },
  ]);
  assert.is(await page.getByTestId('messages').locator('img, script, b, i, u').count(), 0);
  assert.is(await page.title(), title);
  assert.equal(faults, []);
});

requireTool(test, 'chromium', 'rooms are apart; one is in the address; a kept message comes first', async (path) => {
  const meter = await device('meter');
  await meter.publish('chat/a b.c', 'kept', { qos: 1, retain: true });
  const one = await visit(path, '#a%20b.c');
  assert.is(await one.getByTestId('room').inputValue(), 'a b.c');
  await join(one, 'a b.c', 'Ada');
  const other = await visit(path);
  await join(other, 'other', 'Ben');
  await meter.publish('chat/a b.c', Buffer.from([0, 255, 1]), { qos: 1 });
  const ledger = await application();
  ledger.send('SEND', { destination: '/topic/chat.a%20b%2Ec', from: 'ledger' }, 'by STOMP');
  await say(other, 'only here');
  assert.equal(
    (await shown(one, 3)).map(({ text }) => text),
    ['kept', '3 bytes that are not text', 'by STOMP'],
  );
  assert.is(await one.getByTestId('messages').locator('.kept').count(), 1);
  assert.equal(
    (await shown(other, 1)).map(({ text }) => text),
    ['only here'],
  );
});

requireTool(
  test,
  'chromium',
  'what cannot be joined is said, and nothing is sent without a connection',
  async (path) => {
    const page = await visit(path);
    assert.is(await page.getByTestId('send').isDisabled(), true);
    await page.getByTestId('name').fill('Ada');
    for (const room of ['', 'a/b', 'a#', '+']) {
      await page.getByTestId('room').fill(room);
      await page.getByTestId('join').click();
      assert.match((await page.getByTestId('join-error').textContent()) ?? '', /room/i);
      assert.is(await page.getByTestId('status').getAttribute('data-state'), 'idle');
    }
    await page.getByTestId('room').fill('lobby');
    await page.getByTestId('name').fill(' ');
    await page.getByTestId('join').click();
    assert.match((await page.getByTestId('join-error').textContent()) ?? '', /name/i);
    await join(page, 'lobby', 'Ada');
    assert.is(await page.getByTestId('join-error').textContent(), '');
  },
);

requireTool(test, 'chromium', 'it joins again by itself when the broker is back', async (path) => {
  const page = await visit(path);
  await join(page, 'again', 'Ada');
  await say(page, 'before');
  await shown(page, 1);
  const { port } = server.http;
  await server.broker.stop();
  await page.locator('[data-testid="status"]:not([data-state="connected"])').waitFor();
  assert.is(await page.getByTestId('send').isDisabled(), true);
  server = await startBroker({ listeners: { http: { port } } });
  await isConnected(page);
  const meter = await device('meter');
  await meter.publish('chat/again', 'I am back, too', { qos: 1 });
  await shown(page, 2);
  await say(page, 'after');
  assert.equal(
    (await shown(page, 3)).map(({ text }) => text),
    ['before', 'I am back, too', 'after'],
  );
});

requireTool(
  test,
  'chromium',
  'where the broker has users, the page asks for a login, and for another when that is wrong',
  async (path) => {
    faults = [];
    await server.broker.stop();
    server = await startBroker({ security: { users: [{ name: 'ada', password: 'of ada' }] } });
    const page = await visit(path);
    assert.is(await page.getByTestId('user').isVisible(), false, 'nobody has asked yet');
    await page.getByTestId('room').fill('guarded');
    await page.getByTestId('name').fill('Ada');
    await page.getByTestId('join').click();
    await page.getByTestId('user').waitFor();
    await page.getByTestId('user').fill('ada');
    await page.getByTestId('password').fill('of ben');
    await page.getByTestId('join').click();
    await page.getByTestId('join-error').filter({ hasText: 'Wrong user or password' }).waitFor();
    assert.is(await page.getByTestId('status').getAttribute('data-state'), 'idle');
    await page.getByTestId('password').fill('of ada');
    await page.getByTestId('join').click();
    await isConnected(page);
    await say(page, 'let in');
    assert.equal(
      (await shown(page, 1)).map(({ text }) => text),
      ['let in'],
    );
    assert.is(await page.getByTestId('problem').textContent(), '');
    assert.equal(faults, []);
  },
);

test.run();
