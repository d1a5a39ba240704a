import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Link, NO_MAXIMUM } from '../../../protocols/mqtt/link.ts';
import { Outgoing } from '../../../protocols/mqtt/outgoing.ts';
import { WriteAhead } from '../../../protocols/mqtt/write-ahead.ts';
import { Counters } from '../../../src/core/counters.ts';
import { Message, type Qos } from '../../../src/core/message.ts';
import type { Connection } from '../../../src/ports/transport.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { sentAt } from './support/sent.ts';

/** Messages of a durable session, which wait for its state to be written. */

const test = suite('mqtt/outgoing');

/** Keeps what is written to it. */
class Paper implements Connection {
  readonly peer = { name: 'test', loopback: true, transport: 'tcp' } as const;
  readonly buffer = Buffer.alloc(65_536);
  readonly received = 0;
  #at = 0;

  begin(): void {}
  reserve(bytes: number): number {
    this.#at += bytes;
    return this.#at - bytes;
  }
  attach(): void {}
  full(): boolean {
    return false;
  }
  pause(): void {}
  resume(): void {}
  end(): void {}

  /** Packets since the last look: type and flags, topic, payload. */
  take(): string[] {
    const packets: string[] = [];
    for (let at = 0; at < this.#at; ) {
      const end = at + 2 + (this.buffer[at + 1] ?? 0);
      const topic = at + 4 + this.buffer.readUInt16BE(at + 2);
      const properties = topic + ((this.buffer[at] ?? 0) & 6 ? 2 : 0);
      const payload = properties + 1 + (this.buffer[properties] ?? 0);
      packets.push(`${this.buffer.toString('utf8', at + 4, topic)}:${this.buffer.toString('utf8', payload, end)}`);
      at = end;
    }
    this.#at = 0;
    return packets;
  }
}

function begin({ topicAliases = 0, maximumPacketSize = NO_MAXIMUM, window = 2 }) {
  const counters = new Counters();
  const paper = new Paper();
  const writes: (() => void)[] = [];
  const drained: number[] = [];
  const writeAhead = new WriteAhead();
  writeAhead.open({
    kept: undefined,
    atomic: true,
    put: () => Promise.resolve(),
    leave() {},
    changed() {},
    listens() {},
    save: () => new Promise<void>((resolve) => writes.push(resolve)),
  });
  const outgoing = new Outgoing(
    {
      clientId: 'c',
      extrasOf: () => undefined,
      resumed() {},
      lost() {},
      drained: () => drained.push(1),
    },
    {
      counters,
      limits: { inflightOut: 100 },
      logger: { debug() {}, info() {}, warn() {}, error() {} },
      recall() {},
    },
    writeAhead,
  );
  outgoing.attach(new Link(paper, 5, { window, maximumPacketSize, topicAliases }, new ManualClock(), counters));
  const message = (topic: string, payload: string, qos: Qos): Message => {
    const bytes = Buffer.from(payload);
    const made = new Message(
      topic,
      bytes,
      0,
      bytes.length,
      qos,
      false,
      undefined,
      { clientId: 'p', protocol: 'mqtt' },
      0,
    );
    made.sequence = 1;
    return made;
  };
  return {
    counters,
    outgoing,
    paper,
    drained,
    live: (topic: string): void =>
      outgoing.sendLive(message(topic, 'x', 0), { qos: 0, retain: false, dup: false, packetId: 0, extras: undefined }),
    send: (topic: string, payload: string, qos: 1 | 2): boolean => {
      const sent = sentAt(qos);
      const made = message(topic, payload, qos);
      const fits = outgoing.fits(made, sent, undefined);
      if (fits) outgoing.send(made, sent, undefined);
      return fits;
    },
    /** The state has been written. */
    written: async (): Promise<void> => {
      writeAhead.encoded();
      for (const each of writes.splice(0)) each();
      await Promise.resolve();
      await Promise.resolve();
    },
  };
}

test('[MQTT-3.1.2-24] what fitted by its alias alone is not sent if that stands for another topic when it is written', async () => {
  const { live, send, written, paper, outgoing, counters, drained } = begin({ topicAliases: 1, maximumPacketSize: 27 });
  live('topic/of/one');
  assert.equal(paper.take(), ['topic/of/one:x']);
  assert.ok(send('topic/of/one', 'a payload', 2), 'by its alias');
  assert.ok(send('topic/of/one', 'a', 2));
  assert.not(outgoing.ready(), 'the window is full');
  for (let i = 0; i < 10; i++) live('topic/other');
  paper.take();
  await written();
  assert.equal(paper.take(), ['topic/of/one:a']);
  assert.is(counters.droppedTooLarge, 1);
  assert.equal([outgoing.ready(), drained.length], [true, 1], '[MQTT-3.1.2-25] it takes no place in the window');
  assert.is([...outgoing.entries()].length, 1);
});

test('what a client answers before it was sent is not sent', async () => {
  const { send, written, paper, outgoing } = begin({});
  send('a', '1', 2);
  send('a', '2', 1);
  outgoing.pubrec(1, 0, undefined);
  outgoing.puback(2, 0, undefined);
  await written();
  await written();
  assert.equal(
    paper.take().filter((each) => each.startsWith('a')),
    [],
  );
});

test('[MQTT-4.6.0-6] QoS 1 does not overtake QoS 2 that waits for its write', async () => {
  const { send, written, paper } = begin({ window: 10 });
  send('a', '1', 1);
  assert.equal(paper.take(), ['a:1']);
  send('a', '2', 2);
  send('a', '3', 1);
  assert.equal(paper.take(), []);
  await written();
  assert.equal(paper.take(), ['a:2', 'a:3']);
  send('a', '4', 1);
  assert.equal(paper.take(), ['a:4']);
});

test.run();
