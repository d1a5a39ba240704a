import { createServer, type Socket } from 'node:net';

/**
 * The least a broker could do: after the handshake, what a publisher sends is copied to its subscribers, whole packets
 * at a time, unseen. What the generator reaches against it is the generator's own ceiling (on two cores together with
 * this process and the kernel's copying). Usage: node relay.js PORT
 */

const CONNECT = 0x10;
const SUBSCRIBE = 0x82;
const CONNACK = Buffer.of(0x20, 2, 0, 0);

interface Subscription {
  readonly filter: string;
  readonly socket: Socket;
}

const subscriptions: Subscription[] = [];

function serve(socket: Socket): void {
  let rest = Buffer.of();
  let targets: Socket[] | undefined;
  let stride = 0;
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    const at = subscriptions.findIndex((subscription) => subscription.socket === socket);
    if (at >= 0) subscriptions.splice(at, 1);
  });
  socket.on('data', (chunk) => {
    const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    if (targets === undefined) {
      at = handshake(socket, data);
      if (at < data.length) {
        // The first PUBLISH; all that follow have its topic and its length.
        stride = 2 + (data[at + 1] ?? 0);
        const length = data.readUInt16BE(at + 2);
        const topic = data.toString('latin1', at + 4, at + 4 + length);
        targets = subscriptions
          .filter(({ filter }) => matches(filter, topic))
          .map((subscription) => subscription.socket);
      }
    }
    const whole = stride === 0 ? at : data.length - ((data.length - at) % stride);
    if (whole > at) for (const target of targets ?? []) target.write(data.subarray(at, whole));
    rest = Buffer.from(data.subarray(whole));
  });
}

/** Answers what is no PUBLISH and returns where the first one begins. The generator waits for each answer. */
function handshake(socket: Socket, data: Buffer): number {
  let at = 0;
  while (at < data.length && (data[at] === CONNECT || data[at] === SUBSCRIBE)) {
    const end = at + 2 + (data[at + 1] ?? 0);
    if (data[at] === CONNECT) {
      socket.write(CONNACK);
    } else {
      const length = data.readUInt16BE(at + 4);
      subscriptions.push({ filter: data.toString('latin1', at + 6, at + 6 + length), socket });
      socket.write(Buffer.of(0x90, 3, data[at + 2] ?? 0, data[at + 3] ?? 0, 0));
    }
    at = end;
  }
  return at;
}

function matches(filter: string, topic: string): boolean {
  return filter.endsWith('+') ? topic.startsWith(filter.slice(0, -1)) : filter === topic;
}

createServer(serve).listen(Number(process.argv[2]), '127.0.0.1');
