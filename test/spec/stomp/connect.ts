import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Credentials, Principal } from '../../../src/ports/authorizer.ts';
import { Harness } from './support/harness.ts';

const connect = suite('STOMP connecting');

connect('login, passcode and client-id reach the authorizer, unescaped in every version', () => {
  const seen: Credentials[] = [];
  const authenticate = (credentials: Credentials) => {
    seen.push(credentials);
    return { name: 'x' };
  };
  const harness = Harness.open({}, { authenticate });
  harness.open().send('CONNECT', ['accept-version:1.2', 'login:a:b', 'passcode:p\\cq é', 'client-id:me']);
  const [first] = seen;
  assert.is(first?.userName, 'a:b');
  assert.is(Buffer.from(first?.password ?? []).toString(), 'p\\cq é');
  assert.is(first?.clientId, 'me');
  assert.is(first?.protocol, 'stomp');
  harness.open().send('CONNECT', ['login: a ', 'passcode: b']);
  assert.is(seen[1]?.userName, 'a', '1.0 does not count the space');
  assert.match(seen[1]?.clientId ?? '', /^stomp-[0-9a-f]{18}$/);
  harness.open().send('CONNECT', ['accept-version:1.1']);
  assert.is(seen[2]?.userName, undefined);
  assert.is(seen[2]?.password, undefined);
  assert.not(seen[1]?.clientId === seen[2]?.clientId);
});

connect('while a login is being checked, frames behind CONNECT wait; CONNECT is answered first', async () => {
  const checks: ((verdict: Principal | 'badCredentials') => void)[] = [];
  const authenticate = (): Promise<Principal | 'badCredentials'> => new Promise((resolve) => checks.push(resolve));
  const harness = Harness.open({}, { authenticate });
  const client = harness.open();
  client.write('CONNECT\naccept-version:1.2\nreceipt:r\n\n\0SUBSCRIBE\nid:1\ndestination:/topic/a\n\n\0SEND\ndesti');
  client.write('nation:/topic/a\n\nhello\0');
  assert.equal(await client.later(), []);
  assert.is(client.connection.pauses, 1, 'it is not read from meanwhile');
  checks[0]?.({ name: 'x' });
  const frames = await client.later();
  assert.equal(
    frames.map(({ command }) => command),
    ['CONNECTED', 'RECEIPT', 'MESSAGE'],
  );
  assert.is(client.connection.pauses, 0);
  // Refused, with a client that went away meanwhile, and with one for which it takes too long.
  const refused = harness.open();
  refused.write('CONNECT\naccept-version:1.2\nreceipt:r\n\n\0SEND\ndestination:/topic/a\n\n\0');
  checks[1]?.('badCredentials');
  const [error, ...others] = await refused.later();
  assert.equal([error?.command, error?.headers['receipt-id'], others.length], ['ERROR', 'r', 0]);
  assert.ok(refused.closed);
  const gone = harness.open();
  gone.send('CONNECT', ['accept-version:1.2']);
  gone.drop();
  checks[2]?.({ name: 'x' });
  assert.equal(await gone.later(), []);
  const late = harness.open();
  late.send('CONNECT', ['accept-version:1.2']);
  harness.clock.advance(10_001);
  harness.tick(late);
  assert.match(`${late.frame().body}`, 'limits.loginSeconds');
  checks[3]?.({ name: 'x' });
  assert.equal(await late.later(), []);
  assert.is(harness.counters.received, 1, 'of the first one alone');
});

connect('a login that cannot be checked is an error of the server', async () => {
  const harness = Harness.open({}, { authenticate: () => Promise.reject(new Error('no directory')) });
  const client = harness.open();
  client.send('CONNECT', ['accept-version:1.2']);
  const [error] = await client.later();
  assert.is(error?.command, 'ERROR');
  assert.not.match(`${error?.body}`, 'directory');
  assert.equal(harness.warnings, ['a login could not be checked']);
});

connect('a client-id has its limit', () => {
  const client = Harness.open().open();
  client.send('CONNECT', ['accept-version:1.2', `client-id:${'é'.repeat(33)}`]);
  assert.match(String(client.frame().body), 'limits.clientIdBytes');
});

connect('1.2, DISCONNECT: the receipt, then the end; nothing after it is served', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.write('DISCONNECT\nreceipt:bye\n\n\0SEND\ndestination:/topic/a\n\n\0');
  const { command, headers } = client.frame();
  assert.is(command, 'RECEIPT');
  assert.is(headers['receipt-id'], 'bye');
  assert.is(client.connection.ended, '');
  assert.is(harness.counters.received, 0);
  client.write('SEND\ndestination:/topic/a\n\n\0');
  client.drop();
  assert.equal(client.frames(), []);
});

connect('1.2, DISCONNECT: its receipt comes after those of what is still being made durable', () => {
  const client = Harness.open().connect();
  client.write('SEND\ndestination:/topic/a\nreceipt:1\n\nx\0DISCONNECT\nreceipt:2\n\n\0');
  assert.equal(
    client.frames().map(({ headers }) => headers['receipt-id']),
    ['1', '2'],
  );
  assert.is(client.connection.ended, '');
});

connect('1.2, DISCONNECT: no message comes after it', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/#']);
  client.send('SUBSCRIBE', ['id:2', 'destination:/queue/a']);
  const leave = 'SEND\ndestination:/topic/a\nreceipt:1\n\nx\0DISCONNECT\nreceipt:2\n\n\0';
  client.channel.receive(Buffer.from(leave), harness.clock.now());
  harness.publish('b', 'late');
  harness.publish('$queue/a', 'late');
  assert.equal(
    (await client.later()).map(({ command }) => command),
    ['RECEIPT', 'RECEIPT'],
  );
});

connect('a DISCONNECT is not held up for ever by a store that does not answer', () => {
  const harness = Harness.open();
  const client = harness.connect();
  const leave = 'SEND\ndestination:/topic/a\nreceipt:1\n\nx\0DISCONNECT\n\n\0';
  client.channel.receive(Buffer.from(leave), harness.clock.now());
  harness.tick(client);
  assert.not(client.closed);
  harness.clock.advance(15_001);
  harness.tick(client);
  assert.ok(client.closed);
  harness.clock.settle();
});

connect.run();
