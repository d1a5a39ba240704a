import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Harness, type TestClient } from '../spec/stomp/support/harness.ts';
import { runs, tellSeed } from '../support/fuzz-runs.ts';

const fuzz = suite('fuzzing STOMP');
tellSeed();

/** Feeds pieces to a client as long as it is open; whatever they are, it throws nothing and says nothing malformed. */
function feed(client: TestClient, pieces: readonly Uint8Array[]): string[] {
  for (const piece of pieces) client.write(Buffer.from(piece));
  const commands = client.frames().map(({ command }) => command);
  const error = commands.indexOf('ERROR');
  if (error !== -1) {
    assert.is(error, commands.length - 1, 'an ERROR is the last frame');
    assert.ok(client.closed, 'and closes');
  }
  return commands;
}

const bytes = fc.uint8Array({ maxLength: 200 });

fuzz('arbitrary bytes before login', () => {
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 4 }), (pieces) => {
      const client = Harness.open().open();
      feed(client, pieces);
      client.drop();
    }),
    runs(2000),
  );
});

fuzz('arbitrary bytes after login', () => {
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 4 }), fc.constantFrom('1.0', '1.1', '1.2'), (pieces, version) => {
      const client = Harness.open().connect(version);
      feed(client, pieces);
      client.drop();
    }),
    runs(2000),
  );
});

/** Text close to STOMP, in which the interesting things are likely. */
const token = fc.constantFrom(
  ...['SEND', 'SUBSCRIBE', 'UNSUBSCRIBE', 'ACK', 'NACK', 'BEGIN', 'COMMIT', 'ABORT', 'CONNECT', 'STOMP', 'DISCONNECT'],
  ...['MESSAGE', '\n', '\n\n', '\0', '\r\n', ':', '\\', '\\c', '\\n', '\\r', '-1', '0', '5', '99999999999', 'x', 'é'],
  ...['destination:/topic/a\n', 'destination:/queue/a\n', 'destination:/topic/#\n', 'id:1\n', 'receipt:r\n'],
  ...[
    'transaction:t\n',
    'ack:client\n',
    'content-length:',
    'content-length:1\n',
    'message-id:0-1-1\n',
    'persistent:true\n',
  ],
  ...['retain:true\n', 'expires:1\n', 'reply-to:/topic/r\n', 'prefetch-count:1\n', '__proto__:x\n', 'heart-beat:1,1\n'],
);

fuzz('text that is nearly STOMP, cut anywhere, means the same however it is cut', () => {
  fc.assert(
    fc.property(fc.array(token, { maxLength: 40 }), fc.array(fc.nat(300), { maxLength: 5 }), (tokens, cuts) => {
      // Ends whatever is open: a fault in the head of an unfinished frame is found now or with its end.
      const stream = Buffer.from(`${tokens.join('')}\n\n\0\n\n\0`);
      const points = [0, ...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length];
      const pieces = points.slice(1).map((point, i) => stream.subarray(points[i], point));
      for (const open of [() => Harness.open().open(), () => Harness.open().connect()]) {
        const whole = open();
        const expected = feed(whole, [stream]);
        const cut = open();
        assert.equal(feed(cut, pieces), expected);
        whole.drop();
        cut.drop();
      }
    }),
    runs(3000),
  );
});

const line = fc.constantFrom(
  ...[
    'destination:/topic/a',
    'destination:/queue/a',
    'destination:/topic/*',
    'id:1',
    'id:2',
    'receipt:r',
    'transaction:t',
  ],
  ...[
    'ack:client',
    'ack:client-individual',
    'ack:auto',
    'persistent:true',
    'retain:true',
    'prefetch-count:1',
    'requeue:false',
  ],
);
const frame = fc.record({
  command: fc.constantFrom('SEND', 'SEND', 'SUBSCRIBE', 'UNSUBSCRIBE', 'ACK', 'NACK', 'BEGIN', 'COMMIT', 'ABORT'),
  lines: fc.array(line, { maxLength: 5 }),
  client: fc.nat(2),
  /** ACK and NACK: which of the messages got. */
  which: fc.nat(5),
});

fuzz('clients at random: each frame is answered, and the end leaves nothing behind', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 60 }), (script) => {
      const harness = Harness.open();
      const clients = [0, 1, 2].map(() => harness.connect());
      const acks: string[][] = [[], [], []];
      for (const { command, lines: any, client, which } of script) {
        // On SUBSCRIBE it makes a durable subscription, which is there for longer than its connection.
        const lines = any.filter((each) => command === 'SEND' || each !== 'persistent:true');
        const target = clients[client];
        if (target === undefined || target.closed) continue;
        const ack = acks[client]?.[which];
        const all = ack !== undefined && command.endsWith('ACK') ? [`id:${ack}`, ...lines] : lines;
        target.send(command, all, command === 'SEND' ? 'body' : '');
        for (const [i, each] of clients.entries()) {
          for (const got of each.frames()) if (got.headers.ack !== undefined) acks[i]?.push(got.headers.ack);
        }
      }
      for (const client of clients) client.drop();
      harness.publish('a', 'x');
      harness.publish('a', 'x', undefined, 1);
      for (const client of clients) assert.equal(client.frames(), []);
      assert.is(harness.clock.timers.size, 0);
    }),
    runs(500),
  );
});

fuzz.run();
