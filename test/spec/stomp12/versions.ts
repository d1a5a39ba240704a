import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { VERSIONS } from '../stomp/support/decode.ts';
import { Harness } from '../stomp/support/harness.ts';

/** Protocol Negotiation, which 1.1 and 1.2 word in the same way. */

const test = suite('STOMP 1.2 protocol negotiation');

test('STOMP 1.2, Protocol Negotiation: the highest version that both speak', () => {
  const rows: readonly (readonly [accepted: string, version: string])[] = [
    ['1.2', '1.2'],
    ['1.1', '1.1'],
    ['1.0', '1.0'],
    ['1.0,1.1,1.2', '1.2'],
    ['1.2,1.1,1.0', '1.2'],
    ['1.0,1.1', '1.1'],
    ['1.0,1.1,2.0', '1.1'],
    ['2.0,1.0', '1.0'],
    ['1.0,1.2,9.9', '1.2'],
    ['1.1,1.1', '1.1'],
    [' 1.0 , 1.1 ', '1.1'],
    ['1.0,,1.1,', '1.1'],
  ];
  for (const [accepted, version] of rows) {
    for (const command of ['CONNECT', 'STOMP']) {
      const client = Harness.open().open();
      client.send(command, [`accept-version:${accepted}`, 'host:x']);
      const { command: answer, headers } = client.frame();
      assert.equal([answer, headers.version], ['CONNECTED', version], accepted);
    }
  }
});

test('STOMP 1.2, Protocol Negotiation: without accept-version the client speaks 1.0 only', () => {
  for (const host of [[], ['host:x']]) {
    const client = Harness.open().open();
    client.send('CONNECT', [...host, 'heart-beat:1000,1000']);
    const { command, headers } = client.frame();
    assert.equal([command, headers.version], ['CONNECTED', '1.0']);
  }
});

test('STOMP 1.2, Protocol Negotiation: none in common is an ERROR that lists the versions there are, then the end', () => {
  for (const accepted of ['2.0', '1.3,2.0', '', ' ', ',', '1', '1.20', '01.2', '1.2.0', 'abc', '1.1;1.2', '1.1 1.2']) {
    for (const receipt of [undefined, '7']) {
      const client = Harness.open().open();
      client.write(
        `CONNECT\naccept-version:${accepted}\nhost:x\n${receipt === undefined ? '' : `receipt:${receipt}\n`}\n\0SEND\n\n\0`,
      );
      const { command, headers, body } = client.frame();
      assert.is(command, 'ERROR', accepted);
      assert.is(headers.version, '1.0,1.1,1.2');
      assert.is(headers['content-type'], 'text/plain');
      assert.is(headers['content-length'], String(body.length));
      assert.is(headers['receipt-id'], receipt);
      assert.ok((headers.message ?? '') !== '');
      assert.is(String(body), 'Supported versions are 1.0,1.1,1.2\n');
      assert.ok(client.closed);
    }
  }
});

for (const version of VERSIONS.keys()) {
  test(`STOMP ${version}, Protocol Negotiation: its rules are those of the rest of the session, from the next frame on`, () => {
    const client = Harness.open().open();
    // All in one chunk: nothing of it may have been read by other rules.
    client.write(
      `CONNECT\naccept-version:${version}\nhost:x\n\n\0SUBSCRIBE\nid: a\\cb\ndestination:/topic/x\nack:client\n\n\0SEND\ndestination:/topic/x\n\nhi\0`,
    );
    const [connected, message] = client.frames();
    assert.is(connected?.headers.version, version);
    assert.is(message?.headers.subscription, version === '1.0' ? 'a\\cb' : ' a\\cb');
    assert.is(message?.headers.ack !== undefined, version === '1.2', 'the header ack is of 1.2');
  });
}

test.run();
