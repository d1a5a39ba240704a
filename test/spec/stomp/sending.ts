import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { expectError } from './support/expect-error.ts';
import { Harness } from './support/harness.ts';

/** What a SEND does here beyond its clauses, which are in `../stomp12/send` and `../stomp12/receipt`. */

const sending = suite('STOMP sending');

sending('live without a receipt, logged with one or with persistent:true', () => {
  const rows: readonly (readonly [lines: readonly string[], logged: boolean])[] = [
    [[], false],
    [['persistent:false'], false],
    [['persistent:true'], true],
    [['receipt:r'], true],
  ];
  for (const [lines, logged] of rows) {
    const harness = Harness.open();
    const client = harness.connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
    client.send('SEND', ['destination:/topic/a', ...lines], 'x');
    const message = client.frames().find(({ command }) => command === 'MESSAGE');
    assert.is(message?.headers.persistent, logged ? 'true' : undefined, lines.join());
    assert.is(harness.backbone.log.next(0) > 1, logged);
  }
});

sending('limits.publishBacklog: a client ahead of the log is not read from until it has caught up', () => {
  const harness = Harness.open();
  const client = harness.connect();
  const frame = 'SEND\ndestination:/topic/a\npersistent:true\n\nx\0';
  client.channel.receive(Buffer.from(frame.repeat(7)), harness.clock.now());
  assert.is(client.connection.pauses, 0);
  client.channel.receive(Buffer.from(frame.repeat(3)), harness.clock.now());
  assert.is(client.connection.pauses, 1);
  harness.clock.settle();
  assert.is(client.connection.pauses, 0);
});

sending('retain is for topics', () => {
  const client = Harness.open().connect();
  client.send('SEND', ['destination:/queue/a', 'retain:true'], 'x');
  expectError(client, 'retain');
});

sending.run();
