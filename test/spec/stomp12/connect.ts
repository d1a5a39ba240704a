import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { VERSIONS } from '../stomp/support/decode.ts';
import { expectError } from '../stomp/support/expect-error.ts';
import { Harness } from '../stomp/support/harness.ts';
import { Logins } from '../stomp/support/logins.ts';

/** Connecting, CONNECT or STOMP Frame, CONNECTED Frame; what 1.1 and 1.0 say in the same way is run with them. */

const test = suite('STOMP 1.2 connecting');

for (const version of VERSIONS.keys()) {
  test(`STOMP ${version}, CONNECTED: the version, a session, the server's name`, () => {
    const client = Harness.open().open();
    client.send('CONNECT', [`accept-version:${version}`, 'host:x']);
    const { command, headers, body } = client.frame();
    assert.is(command, 'CONNECTED');
    assert.is(headers.version, version);
    assert.match(headers.session ?? '', /^[0-9a-f]{16}$/);
    // server = name ["/" version] *(comment)
    assert.match(headers.server ?? '', /^[A-Za-z]+(\/\S+)?( .+)?$/);
    assert.is(body.length, 0);
  });

  test(`STOMP ${version}, CONNECTED: each session has another identifier`, () => {
    const harness = Harness.open();
    const sessions = Array.from({ length: 20 }, () => {
      const client = harness.open();
      client.send('CONNECT', [`accept-version:${version}`, 'host:x', 'client-id:same', 'login:same']);
      return client.frame().headers.session;
    });
    assert.is(new Set(sessions).size, 20);
  });

  test(`STOMP ${version}, CONNECT: the user by login and passcode`, () => {
    const logins = new Logins();
    const harness = Harness.open({}, logins);
    for (const headers of [['login:a', 'passcode:b'], ['login:a'], ['passcode:'], []]) {
      const client = harness.open();
      client.send('CONNECT', [`accept-version:${version}`, 'host:x', ...headers]);
      assert.is(client.frame().command, 'CONNECTED');
    }
    assert.equal(logins.seen, ['a/b', 'a/-', '-/', '-/-']);
  });

  test(`STOMP ${version}, Augmented BNF: each line of a CONNECT may end with CR LF, whatever the others do`, () => {
    for (const last of ['\n', '\r\n']) {
      const logins = new Logins();
      const client = Harness.open({}, logins).open();
      client.write(`CONNECT\nlogin:a\r\naccept-version:${version}\nhost:x\r\npasscode:b\r\n${last}\0`);
      assert.equal([client.frame().command, logins.seen], ['CONNECTED', ['a/b']]);
    }
  });

  test(`STOMP ${version}, Connecting: a login that is refused is an ERROR that says why, then the end`, () => {
    for (const reason of ['badCredentials', 'notAuthorized'] as const) {
      const harness = Harness.open({}, { authenticate: () => reason });
      const client = harness.open();
      const connect = `CONNECT\naccept-version:${version}\nhost:x\nlogin:a\npasscode:secret\nreceipt:r\n\n\0`;
      client.write(`${connect}SEND\ndestination:/topic/a\n\n\0`);
      const { command, headers, body } = client.frame();
      assert.equal([command, headers['receipt-id']], ['ERROR', 'r']);
      assert.match(headers.message ?? '', /^(Bad CONNECT|access_refused)$/);
      assert.match(String(body), 'login and passcode');
      assert.not.match(String(body), 'secret');
      assert.ok(client.closed);
      assert.is(harness.counters.received, 0, 'nothing after it is looked at');
    }
  });

  test(`STOMP ${version}, Connecting: nothing is served before it, CVE-2023-32081`, () => {
    const commands = ['SEND', 'SUBSCRIBE', 'UNSUBSCRIBE', 'ACK', 'NACK', 'BEGIN', 'COMMIT', 'ABORT', 'DISCONNECT'];
    for (const command of [...commands, 'CONNECTED', 'MESSAGE', 'RECEIPT', 'ERROR']) {
      const harness = Harness.open();
      const client = harness.open();
      const frame = `${command}\ndestination:/topic/a\nid:1\ntransaction:t\nreceipt:77\n\n\0`;
      client.write(`${frame}CONNECT\naccept-version:${version}\nhost:x\n\n\0`);
      expectError(client, 'CONNECT', '77');
      assert.is(harness.counters.received, 0);
    }
  });

  test(`STOMP ${version}, Connecting: a second CONNECT is an ERROR`, () => {
    for (const command of ['CONNECT', 'STOMP']) {
      const client = Harness.open().connect(version);
      client.send(command, [`accept-version:${version}`, 'host:x', 'receipt:2']);
      expectError(client, 'a second CONNECT', '2');
    }
  });

  test(`STOMP ${version}, Once Connected: what only servers send is an ERROR`, () => {
    for (const command of ['CONNECTED', 'MESSAGE', 'RECEIPT', 'ERROR']) {
      const client = Harness.open().connect(version);
      client.send(command, ['receipt:1', 'receipt-id:2', 'message-id:3', 'destination:/topic/a']);
      expectError(client, 'only servers send', '1');
    }
  });

  test(`STOMP ${version}, Connecting: frames right behind CONNECT are served after it`, () => {
    const client = Harness.open().open();
    const connect = `CONNECT\naccept-version:${version}\nhost:x\n\n\0`;
    client.write(`${connect}SUBSCRIBE\nid:1\ndestination:/topic/x\n\n\0SEND\ndestination:/topic/x\n\nhi\0`);
    assert.equal(
      client.frames().map(({ command }) => command),
      ['CONNECTED', 'MESSAGE'],
    );
  });
}

for (const version of ['1.1', '1.2'] as const) {
  test(`STOMP ${version}, CONNECT or STOMP Frame: STOMP is handled as CONNECT is`, () => {
    const logins = new Logins();
    const harness = Harness.open({}, logins);
    for (const command of ['CONNECT', 'STOMP']) {
      const client = harness.open();
      client.send(command, [`accept-version:${version}`, 'host:x', 'login:a', 'passcode:b\\c', 'receipt:r']);
      assert.equal(
        client.frames().map(({ command: answer, headers }) => `${answer} ${headers.version ?? headers['receipt-id']}`),
        [`CONNECTED ${version}`, 'RECEIPT r'],
      );
    }
    assert.equal(logins.seen, ['a/b\\c', 'a/b\\c']);
  });

  test(`STOMP ${version}, CONNECT, host: there is one virtual host, whatever the client calls it`, () => {
    for (const host of [['host:x'], ['host:/'], ['host:'], ['host:a:1'], []]) {
      const client = Harness.open().open();
      client.send('CONNECT', [`accept-version:${version}`, ...host]);
      assert.is(client.frame().headers.version, version);
    }
  });
}

test('STOMP 1.2, CONNECT: lines may end with CR LF', () => {
  const client = Harness.open().open();
  client.write('CONNECT\r\naccept-version:1.2\r\nhost:x\r\n\r\n\0\r\n');
  assert.is(client.frame().headers.version, '1.2');
});

test('STOMP 1.2, Connecting: another protocol is told so, and closed', () => {
  const rows: readonly (readonly [name: string, bytes: string])[] = [
    ['HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['HTTP', 'POST /a HTTP/1.1\nHost: x\n\n'],
    ['HTTP', 'CONNECT a:443 HTTP/1.1\r\n\r\n'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['MQTT', '\x10\x0c\0\x04MQTT\x04\x02\0\x0a\0\0'],
    ['TLS', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03'],
    ['AMQP', 'AMQP\0\0\x09\x01'],
    ['SMTP', 'EHLO x\r\n'],
    ['JSON', '{"type":"hello"}'],
  ];
  for (const [name, bytes] of rows) {
    for (const pieces of [[bytes], [...bytes]]) {
      const client = Harness.open().open();
      for (const piece of pieces) client.write(Buffer.from(piece, 'latin1'));
      const { command, body } = client.frame();
      assert.is(command, 'ERROR', name);
      assert.match(String(body), /another protocol|is not a command/, name);
      assert.ok(client.closed, name);
    }
  }
});

test.run();
