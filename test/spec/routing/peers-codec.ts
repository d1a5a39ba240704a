import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import { DEFAULT_SETTINGS } from '../../../src/core/queue-settings.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import { type Asked, AskWriter, readAsked, readTold, TellWriter, type Told } from '../../../src/routing/peers/codec.ts';
import { Moved } from '../../../src/routing/peers/ownership.ts';
import { KIND, Outbound, readPacket, restartPacket } from '../../../src/routing/peers/packets.ts';
import { message } from '../../support/simulated-peers.ts';

const test = suite('routing/peers: codec');

/** What is called, with what: the same whether it is called at once or read from frames. */
function recorder(): { calls: unknown[][] } & Asked & Told {
  const calls: unknown[][] = [];
  const note =
    (name: string) =>
    (...given: unknown[]): void => {
      calls.push([name, ...given.map(plain)]);
    };
  const names = {
    consume: note('consume'),
    cancel: note('cancel'),
    settle: note('settle'),
    flush: note('flush'),
    push: note('push'),
    call: note('call'),
    heard: note('heard'),
    opened: note('opened'),
    ended: note('ended'),
    deliver: note('deliver'),
    flushed: note('flushed'),
    pushed: note('pushed'),
    refused: note('refused'),
    answered: note('answered'),
  };
  return { calls, ...names };
}

/** Errors and messages by what matters of them. */
function plain(value: unknown): unknown {
  if (value instanceof BrokerError) return `${value.constructor.name} ${value.code} ${value.message}`;
  return JSON.parse(
    JSON.stringify(value, (key, each: unknown) =>
      each instanceof Uint8Array || key === 'data' || key === 'start' || key === 'end' ? undefined : each,
    ) ?? 'null',
  );
}

const unexpected = (): never => {
  throw new Error('not part of this');
};

function outbound() {
  const sent: Uint8Array[] = [];
  const tasks: (() => void)[] = [];
  const clock: Clock = {
    now: () => 0,
    schedule: unexpected,
    random: unexpected,
    defer: (task) => void tasks.push(task),
  };
  const cluster = {
    node: 'a',
    alone: false,
    alive: () => true,
    join: unexpected,
    claim: unexpected,
    release: unexpected,
    own: unexpected,
    disown: unexpected,
    send: (_node: string, bytes: Uint8Array) => void sent.push(Uint8Array.from(bytes)),
  };
  const out = new Outbound('b', KIND.ask, cluster, clock, () => 7);
  out.begin(3);
  const turn = (): void => {
    for (const task of tasks.splice(0)) task();
  };
  return { out, sent, turn };
}

function everyAsked(to: Asked): void {
  const options = { clientId: 'ü', prefetch: 65_535, priority: -100, exclusive: true };
  to.consume(1, { kind: 'queue', queue: 'q/ü', options, settings: { maxMessages: 5, bindings: ['a/#'] } });
  to.consume(2, {
    kind: 'queue',
    queue: '',
    options: { ...options, priority: 7, exclusive: false, locksOut: true, selector: "color = 'grün'" },
    settings: undefined,
  });
  for (const start of [
    { from: 'new' },
    { from: 'first' },
    { from: 'last', count: 9 },
    { from: 'time', time: 1e12 },
    { from: 'position', shard: 3, sequence: 2 ** 40 },
  ] as const) {
    const keptFor = 2 ** 32;
    to.consume(3, {
      kind: 'group',
      group: 'g',
      filter: '#',
      options: { clientId: '', prefetch: 1, keptFor, ordered: true, start },
    });
    to.consume(3, {
      kind: 'group',
      group: 'g',
      filter: '#',
      options: { clientId: '', prefetch: 1, keptFor, ordered: false, selector: "a = 'é'", start },
    });
    to.call(4, { call: 'groupMove', group: 'g', filter: 'a/+', to: start });
  }
  for (const forget of [undefined, true, false]) to.cancel(5, forget);
  for (const outcome of ['accept', 'requeue', 'reject'] as const) {
    to.settle(6, 2 ** 50, outcome, undefined);
    to.settle(6, 1, outcome, 0);
    to.settle(6, 1, outcome, 86_400_000);
  }
  to.flush(7, 8);
  to.push(9, 'q', message('text', 'q\0id'));
  to.call(1, { call: 'declare', queue: 'q', settings: { overflow: 'dropOldest', singleActiveConsumer: true } });
  to.call(2, { call: 'status', queue: 'q' });
  to.call(3, { call: 'browse', queue: 'q', after: 5, count: 100 });
  to.call(4, { call: 'purge', queue: 'q' });
  to.call(5, { call: 'delete', queue: 'q', ifEmpty: true, ifUnused: false });
  to.call(6, { call: 'groupStatus', group: 'g', filter: '#' });
  to.heard(2 ** 40);
}

function everyTold(to: Told): void {
  to.opened(1);
  to.ended(1, new BrokerError('quota', 'there is an exclusive consumer'));
  to.ended(1, new Moved());
  to.deliver(2, message('text'), { number: 2 ** 45, count: 3, redelivered: true });
  to.flushed(3, undefined);
  to.flushed(3, new BrokerError('unavailable'));
  to.pushed(4, true);
  to.pushed(4, false);
  to.refused(5, new BrokerError('fieldInvalid', 'priority is "x"; a whole number from 0 to 9 is expected'));
  to.answered(6, new BrokerError('notFound'));
  to.answered(6, { answer: 'nothing' });
  to.answered(6, { answer: 'count', count: 5 });
  const numbers = { messages: 5, bytes: 2 ** 45, unsettled: 1, consumers: 2 };
  to.answered(6, { answer: 'queue', status: { name: 'q', settings: DEFAULT_SETTINGS, ...numbers, node: 'b' } });
  to.answered(6, {
    answer: 'portion',
    portion: { messages: [{ id: 7, deliveries: 2, message: message('x') }], next: 7 },
  });
  to.answered(6, { answer: 'portion', portion: { messages: [], next: undefined } });
  const places = { positions: [1, 2], ends: [3, 4], lag: 5, unsettled: 6, members: 7 };
  to.answered(6, { answer: 'group', status: { name: 'g', filter: '#', ordered: false, ...places, node: 'b' } });
}

test('every frame to an owner is read as it was written', () => {
  const { out, sent, turn } = outbound();
  const [written, read] = [recorder(), recorder()];
  everyAsked(new AskWriter(out));
  everyAsked(written);
  turn();
  assert.is(sent.length, 1);
  const packet = readPacket(sent[0] ?? new Uint8Array());
  assert.equal([packet.kind, packet.session, packet.number, packet.answered], [KIND.ask, 3, 0, 7]);
  readAsked(packet.frames, read);
  assert.equal(read.calls, written.calls);
});

test('every frame back from an owner is read as it was written', () => {
  const { out, sent, turn } = outbound();
  const [written, read] = [recorder(), recorder()];
  everyTold(new TellWriter(out));
  everyTold(written);
  turn();
  readTold(readPacket(sent[0] ?? new Uint8Array()).frames, read);
  assert.equal(read.calls, written.calls);
});

test('the frames of a turn are one packet, up to 256 KiB; a larger message is one by itself', () => {
  const { out, sent, turn } = outbound();
  const ask = new AskWriter(out);
  for (let i = 0; i < 10; i++) ask.push(i, 'q', message('x'.repeat(100_000)));
  ask.push(10, 'q', message('x'.repeat(3_000_000)));
  ask.push(11, 'q', message('x'));
  turn();
  assert.equal(
    sent.map((bytes) => Math.round(bytes.length / 100_000)),
    [3, 3, 3, 31, 0],
  );
  assert.equal(
    sent.map((bytes) => readPacket(bytes).number),
    [0, 1, 2, 3, 4],
  );
  turn();
  ask.heard(1);
  turn();
  assert.is(sent.length, 6);
});

test('bytes that nobody wrote are a RangeError or a BrokerError, and nothing else', () => {
  const { out, sent, turn } = outbound();
  everyAsked(new AskWriter(out));
  everyTold(new TellWriter(out));
  turn();
  const real = sent[0] ?? new Uint8Array();
  const spoilt = fc
    .tuple(fc.nat(real.length - 1), fc.nat(400), fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }))
    .map(([from, length, changes]) => {
      const bytes = real.slice(from, from + length);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      return bytes;
    });
  const attempt = (read: () => void): void => {
    try {
      read();
    } catch (error) {
      assert.ok(error instanceof RangeError || error instanceof BrokerError, String(error));
    }
  };
  fc.assert(
    fc.property(fc.oneof(spoilt, fc.uint8Array({ maxLength: 100 })), (bytes) => {
      attempt(() => readAsked(bytes, recorder()));
      attempt(() => readTold(bytes, recorder()));
      attempt(() => readPacket(bytes));
    }),
    { numRuns: 3000 },
  );
  assert.is(readPacket(restartPacket(9)).session, 9);
});

test.run();
