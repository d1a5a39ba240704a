import { once } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { startBroker, type TestBroker } from '../../support/broker.ts';
import { Inbox } from '../../support/inbox.ts';
import { parseFrames, type ServerFrame } from '../stomp/support/frames.ts';

/**
 * STOMP over WebSocket. No specification of STOMP speaks of it: legacy clients (`stompjs` 2.3.3 and others) parse each
 * message alone, so that each frame is one message; newer ones send several frames in a message, or a frame in several.
 */

const test = suite('STOMP over WebSocket');

type Kind = 'text' | 'binary';

interface Arrived {
  readonly kind: Kind;
  readonly bytes: Buffer;
}

/** A WebSocket as it is: messages go out as they are given, and are shown as they came. */
class Raw {
  readonly socket: WebSocket;
  readonly messages = new Inbox<Arrived>();
  code = 0;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (bytes: Buffer, binary) => this.messages.push({ kind: binary ? 'binary' : 'text', bytes }));
    socket.on('error', () => {});
    socket.on('close', (code) => {
      this.code = code;
      this.messages.close();
    });
  }

  send(kind: Kind, ...messages: readonly (string | Buffer)[]): void {
    for (const message of messages) this.socket.send(Buffer.from(message), { binary: kind === 'binary' });
  }

  /** The next message, which must be one whole frame and nothing beside it. */
  async frame(kind: Kind): Promise<ServerFrame> {
    return only(await this.messages.next(), kind);
  }
}

function only({ kind: got, bytes }: Arrived, kind: Kind): ServerFrame {
  const frames = parseFrames(bytes);
  // The line end behind its null byte is the frame's own.
  if (frames.length === 2 && frames[1]?.command === 'EOL') frames.pop();
  const [frame] = frames;
  assert.is(frames.length, 1, `one frame in a message: ${bytes.toString('latin1', 0, 200)}`);
  if (frame === undefined) throw new Error('unreachable');
  assert.is(got, kind, frame.command);
  return frame;
}

let running: TestBroker | undefined;
const opened: Raw[] = [];

test.before(async () => {
  running = await startBroker({ limits: { loginPacketBytes: 100_000, heartBeatMilliseconds: 10 } });
});
test.after(() => running?.broker.stop());
test.after.each(() => {
  for (const { socket } of opened.splice(0)) socket.terminate();
});

async function open(subprotocols: string[] = ['v12.stomp']): Promise<Raw> {
  if (running === undefined) throw new Error('the broker is not started');
  const { host, port } = running.http;
  const raw = new Raw(new WebSocket(`ws://${host}:${port}/stomp`, subprotocols));
  opened.push(raw);
  await once(raw.socket, 'open');
  return raw;
}

const CONNECT = 'CONNECT\naccept-version:1.2\nhost:x\n\n\0';

async function connected(kind: Kind, headers = ''): Promise<Raw> {
  const raw = await open();
  raw.send(kind, CONNECT.replace('\n\n', `\n${headers}\n`));
  assert.is((await raw.frame(kind)).command, 'CONNECTED');
  return raw;
}

const BODIES: readonly (readonly [name: string, body: Buffer, kind: Kind])[] = [
  ['text', Buffer.from('text é☕'), 'text'],
  ['nothing', Buffer.alloc(0), 'text'],
  ['null bytes', Buffer.from('a\0b\0\0c'), 'text'],
  ['large text', Buffer.from('é'.repeat(50_000)), 'text'],
  ['large, with null bytes', Buffer.alloc(100_000, 'x\0y\0\0SEND\n\n'), 'text'],
  ['no UTF-8', Buffer.of(0xff, 0xfe, 0), 'binary'],
  ['large and no UTF-8', Buffer.alloc(100_000, 0xff), 'binary'],
];

for (const kind of ['text', 'binary'] as const) {
  for (const [name, body, natural] of BODIES) {
    test(`to a client that speaks ${kind}, each MESSAGE is one message: ${name}`, async () => {
      const expected = kind === 'binary' ? 'binary' : natural;
      for (const receivers of [1, 3]) {
        const topic = `/topic/${kind}.${name.replaceAll(/\W/g, '_')}.${receivers}`;
        const clients = await Promise.all(Array.from({ length: receivers }, () => connected(kind)));
        for (const client of clients) {
          client.send(kind, `SUBSCRIBE\nid:1\ndestination:${topic}\nreceipt:r\n\n\0`);
          assert.is((await client.frame(kind)).command, 'RECEIPT');
        }
        const [sender] = clients;
        const frame = Buffer.concat([
          Buffer.from(`SEND\ndestination:${topic}\ncontent-length:${body.length}\n\n`),
          body,
          Buffer.of(0),
        ]);
        // Many in one turn, which leave in one write: still a message each.
        sender?.send('binary', ...Array.from({ length: 5 }, () => frame));
        for (const client of clients) {
          for (let i = 0; i < 5; i++) {
            const { command, body: got } = await client.frame(expected);
            assert.is(command, 'MESSAGE');
            assert.ok(got.equals(body));
          }
        }
      }
    });
  }

  test(`to a client that speaks ${kind}, RECEIPT and ERROR are ${kind}, each one message; then the close`, async () => {
    const client = await connected(kind);
    const begin = [1, 2, 3].map((i) => `BEGIN\ntransaction:${i}\nreceipt:é${i}\n\n\0`).join('');
    client.send(kind, `${begin}ABORT\ntransaction:none\nreceipt:é4\n\n\0`);
    for (const i of [1, 2, 3]) assert.is((await client.frame(kind)).headers['receipt-id'], `é${i}`);
    const { command, headers } = await client.frame(kind);
    assert.equal([command, headers['receipt-id']], ['ERROR', 'é4']);
    assert.equal(await client.messages.end(), []);
    assert.is(client.code, 1000);
  });

  test(`to a client that speaks ${kind}, a heart-beat is one ${kind} message of one line end`, async () => {
    const client = await connected(kind, 'heart-beat:0,10\n');
    for (let i = 0; i < 5; i++) {
      const arrived = await client.messages.next();
      assert.equal([arrived.kind, arrived.bytes.toString()], [kind, '\n']);
    }
  });

  test(`of a client that speaks ${kind}: several frames in a message, and a frame in several`, async () => {
    const client = await open();
    const frames =
      '\nCONNECT\naccept-version:1.2\nhost:x\n\n\0\n\nSUBSCRIBE\nid:1\ndestination:/topic/cut\nreceipt:r\n\n\0SEND\ndestination:/topic/cut\ncontent-length:6\n\né☕\0\0DISCONNECT\nreceipt:bye\n\n\0';
    const bytes = Buffer.from(frames);
    // A text message must be UTF-8 by itself: only between characters can it be cut.
    const characters = [...frames].map((character) => Buffer.from(character));
    const pieces = kind === 'text' ? characters : [...bytes].map((byte) => Buffer.of(byte));
    for (const messages of [[bytes], pieces]) {
      const each = messages === pieces ? client : await open();
      each.send(kind, ...messages);
      const arrived = [await each.frame(kind), await each.frame(kind), await each.frame(kind), await each.frame(kind)];
      assert.equal(
        arrived.map(({ command }) => command),
        ['CONNECTED', 'RECEIPT', 'MESSAGE', 'RECEIPT'],
      );
      assert.is(String(arrived[2]?.body), 'é☕\0');
      assert.equal(await each.messages.end(), []);
    }
  });
}

test('what is asked for by the first message stays so, whatever comes later', async () => {
  for (const [first, later] of [
    ['text', 'binary'],
    ['binary', 'text'],
  ] as const) {
    const client = await connected(first);
    client.send(later, 'BEGIN\ntransaction:t\nreceipt:1\n\n\0');
    assert.is((await client.frame(first)).command, 'RECEIPT');
  }
});

test('text and binary clients of one topic get the same message, each in its kind', async () => {
  const kinds = ['text', 'binary', 'text'] as const;
  const clients = await Promise.all(kinds.map((kind) => connected(kind)));
  for (const [i, client] of clients.entries()) {
    client.send('text', 'SUBSCRIBE\nid:1\ndestination:/topic/both\nreceipt:r\n\n\0');
    await client.frame(kinds[i] ?? 'text');
  }
  clients[0]?.send('text', 'SEND\ndestination:/topic/both\n\nhello\0');
  for (const [i, client] of clients.entries())
    assert.is(String((await client.frame(kinds[i] ?? 'text')).body), 'hello');
});

test('the subprotocol is the highest that both know; clients that offer none are served', async () => {
  for (const [offered, chosen] of [
    [['v12.stomp', 'v11.stomp'], 'v12.stomp'],
    [['v10.stomp', 'v11.stomp', 'v12.stomp'], 'v12.stomp'],
    [['v99.stomp', 'v11.stomp'], 'v11.stomp'],
    [['stomp', 'v10.stomp'], 'v10.stomp'],
    [['stomp'], 'stomp'],
    [[], ''],
  ] as const) {
    const client = await open([...offered]);
    assert.is(client.socket.protocol, chosen);
    client.send('text', 'CONNECT\naccept-version:1.1\nhost:x\n\n\0');
    assert.is((await client.frame('text')).headers.version, '1.1', 'CONNECT decides');
  }
});

test('nothing but an ERROR before CONNECT, as one message', async () => {
  for (const kind of ['text', 'binary'] as const) {
    const client = await open();
    client.send(kind, 'SEND\ndestination:/topic/a\nreceipt:1\n\nx\0');
    const { command, headers } = await client.frame(kind);
    assert.equal([command, headers['receipt-id']], ['ERROR', '1']);
    assert.equal(await client.messages.end(), []);
  }
});

test('a message beyond limits.packetBytes: close code 1009; a frame beyond it in several messages: its ERROR', async () => {
  const client = await connected('text');
  client.send('text', `SEND\ndestination:/topic/a\n\n${'x'.repeat(1_100_000)}\0`);
  assert.equal(await client.messages.end(), []);
  assert.is(client.code, 1009);
  const other = await connected('text');
  const half = 'x'.repeat(600_000);
  other.send('text', `SEND\ndestination:/topic/a\nreceipt:1\n\n${half}`, half);
  const { command, headers, body } = await other.frame('text');
  assert.equal([command, headers['receipt-id']], ['ERROR', '1']);
  assert.match(String(body), 'limits.packetBytes');
});

test('a slow large message is a sign of life before all of it is there', async () => {
  const client = await connected('binary', 'heart-beat:200,0\n');
  const body = Buffer.alloc(20_000, 'x');
  const frame = Buffer.concat([Buffer.from('SEND\ndestination:/topic/a\nreceipt:1\n\n'), body, Buffer.of(0)]);
  // One WebSocket message in many fragments, for four times as long as silence may last.
  const pieces = 32;
  const size = Math.ceil(frame.length / pieces);
  for (let i = 0; i < pieces; i++) {
    client.socket.send(frame.subarray(i * size, (i + 1) * size), { binary: true, fin: i === pieces - 1 });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.is((await client.frame('binary')).command, 'RECEIPT');
});

test.run();
