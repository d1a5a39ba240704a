import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import * as fc from 'fast-check';
import type { Packet } from 'mqtt-packet';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../support/eventually.ts';
import { runs, tellSeed } from '../support/fuzz-runs.ts';
import { RawMqtt } from '../support/mqtt-client.ts';
import type { Version } from './support/mqtt-arbitraries.ts';
import { ours, theirs } from './support/mqtt-plain.ts';
import { type Stream, stream } from './support/mqtt-streams.ts';
import { usedMemory, WatchedBroker } from './support/watched-broker.ts';

/**
 * Connections of MQTT clients with something wrong in them, several at a time. Each ends with the protocol's own error or goes on;
 * nothing is an internal error, others are served as before, and what was a connection's memory is free again.
 */

const test = suite('fuzz/mqtt-sessions');
tellSeed();

/** Growth of memory, bytes, after all of it: what sessions, retained messages, queues and the log may hold, and not more. */
const GROWTH = 48 * 1024 * 1024;

/** How connections ended, so that one sees that the test still reaches everything. */
const tally = { unread: 0, refused: 0, served: 0, left: 0, failed: 0 };

const watched = new WatchedBroker();
let healthy: RawMqtt;

test.before(async () => {
  await watched.start();
  healthy = await RawMqtt.connect(watched.server.mqtt, { clientId: 'healthy', protocolVersion: 5 });
  await healthy.subscribe('healthy', 1);
});
test.after(async () => {
  healthy.destroy();
  await watched.stop();
});

/** A connection on which a stream is sent. */
class Sender {
  readonly #stream: Stream;
  readonly #socket: Socket;
  readonly #received: Buffer[] = [];
  #ended = false;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.#socket = connect(watched.server.mqtt.port, watched.server.mqtt.host).setNoDelay(true);
    this.#socket.on('data', (chunk) => this.#received.push(chunk));
    this.#socket.on('error', () => {});
    this.#socket.on('end', () => {
      this.#ended = true;
    });
  }

  async send(): Promise<void> {
    for (const chunk of this.#stream.chunks) {
      if (!this.#socket.writable) break;
      this.#socket.write(chunk);
      await turn();
    }
  }

  /** What the broker made of it must be what the protocol says. */
  async judge(): Promise<void> {
    const bytes = Buffer.concat(this.#stream.chunks);
    const outcomes = ours(bytes, this.#stream.level);
    const left = outcomes.findIndex((each) => each.is === 'packet' && each.packet.cmd === 'disconnect');
    const refused = outcomes.findIndex(({ is }) => is === 'refused');
    if (left >= 0 || refused >= 0)
      await eventually('the end of the connection', () => this.#ended || this.#socket.closed);
    const [first] = outcomes;
    const level = first?.is === 'packet' && isVersion(first.packet.version) ? first.packet.version : this.#stream.level;
    const { packets, fault } = theirs(Buffer.concat(this.#received), level);
    // What did not say which version it speaks is answered in none that could be known here.
    if (first?.is !== 'packet') {
      tally.unread++;
      return;
    }
    assert.is(fault, undefined, `what the broker sent is no MQTT: ${fault}`);
    const [connack, ...rest] = packets;
    if (connack !== undefined) assert.is(connack.cmd, 'connack');
    assert.not(rest.some(({ cmd }) => cmd === 'connack'));
    // Before MQTT 5 the end says all.
    const accepted = connack?.cmd === 'connack' && connack.reasonCode === 0;
    const end = left >= 0 ? 'left' : connackAccepts(connack) ? 'failed' : 'refused';
    tally[this.#ended ? end : 'served']++;
    if (level < 5 || !this.#ended || !accepted || left >= 0) return;
    const last = packets.at(-1);
    const reason = last?.cmd === 'disconnect' ? (last.reasonCode ?? 0) : 0;
    assert.ok(reason >= 0x80, `the broker ended the connection, and its last packet is ${JSON.stringify(last)}`);
  }

  async close(): Promise<void> {
    if (this.#stream.closes) this.#socket.end();
    else this.#socket.destroy();
    await eventually('the close of the connection', () => this.#socket.closed);
  }
}

function connackAccepts(packet: Packet | undefined): boolean {
  return packet?.cmd === 'connack' && (packet.reasonCode ?? packet.returnCode) === 0;
}

function isVersion(value: unknown): value is Version {
  return value === 3 || value === 4 || value === 5;
}

/** The healthy client's messages come, all and once. */
async function serves(): Promise<void> {
  const text = `${Math.random()}`;
  healthy.publish('healthy', text, { qos: 1, messageId: 1 });
  const seen = [await healthy.next(), await healthy.next()];
  for (const each of seen) if (each.cmd === 'publish') healthy.send({ cmd: 'puback', messageId: each.messageId ?? 0 });
  assert.equal(seen.map(({ cmd }) => cmd).sort(), ['puback', 'publish']);
}

test('each connection ends with an error of the protocol or goes on, and others never notice', async () => {
  const before = usedMemory();
  await fc.assert(
    fc.asyncProperty(fc.array(stream, { minLength: 1, maxLength: 3 }), async (streams) => {
      const senders = streams.map((each) => new Sender(each));
      await Promise.all(senders.map((each) => each.send()));
      await serves();
      for (const each of senders) await each.judge();
      await Promise.all(senders.map((each) => each.close()));
      watched.check();
    }),
    runs(300),
  );
  console.log(`measured: connections ${JSON.stringify(tally)}`);
  const grown = usedMemory() - before;
  assert.ok(grown < GROWTH, `${Math.round(grown / 1024 / 1024)} MB more`);
});

test.run();
