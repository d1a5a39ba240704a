import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startBroker, type TestBroker } from '../support/broker.ts';
import { eventually } from '../support/eventually.ts';
import { runs, tellSeed } from '../support/fuzz-runs.ts';
import { RawMqtt } from '../support/mqtt-client.ts';
import { MqttModel, type Qos, type Seen } from './support/mqtt-model.ts';
import { type Manner, type Opened, Party } from './support/mqtt-party.ts';

/** Random sequences of a few clients of every version, against a model: who gets what, at which QoS, and in which order. */

const test = suite('fuzz/mqtt-sequences');

const CLIENTS = ['a', 'b', 'c'];
const TOPICS = ['x', 'x/y', 'x/y/z', '/x', 'x/', 'y', 'y/z'];
const FILTERS = ['#', '+', 'x', 'x/y', 'x/#', 'x/+', '+/y', '+/+', '/+', '/#', '+/y/#', 'y/#', 'x/y/z'];

const client = fc.constantFrom(...CLIENTS);
const qos = fc.constantFrom<Qos>(0, 1, 2);
const command = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('connect' as const),
      client,
      version: fc.constantFrom<3 | 4 | 5>(3, 4, 5),
      clean: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('leave' as const), client, how: fc.constantFrom('disconnect', 'destroy') }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('subscribe' as const), client, filter: fc.constantFrom(...FILTERS), qos }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('manner' as const),
      client,
      manner: fc.constantFrom<Manner>('prompt', 'silent', 'half'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('unsubscribe' as const), client, filter: fc.constantFrom(...FILTERS) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      client,
      topic: fc.constantFrom(...TOPICS),
      qos,
      retain: fc.boolean(),
      empty: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
    }),
  },
);
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;

class Run {
  readonly #broker: TestBroker;
  readonly #model = new MqttModel();
  readonly #connections = new Map<string, Party>();
  /** What each client has not settled, over its connections. */
  readonly #opened = new Map<string, Opened>();
  #published = 0;

  constructor(broker: TestBroker) {
    this.#broker = broker;
  }

  async apply(next: Command): Promise<void> {
    if (next.do === 'connect') return this.#connect(next.client, next.version, next.clean);
    const connection = this.#connections.get(next.client);
    if (connection === undefined) return;
    if (next.do === 'manner') {
      await connection.settle();
      connection.manner = next.manner;
    } else if (next.do === 'leave') await this.#leave(next.client, connection, next.how);
    else if (next.do === 'subscribe') {
      connection.send({ cmd: 'subscribe', messageId: 7, subscriptions: [{ topic: next.filter, qos: next.qos }] });
      const suback = await connection.answer('suback');
      assert.equal(suback.cmd === 'suback' && suback.granted, [next.qos]);
      await this.#expect(next.client, this.#model.subscribe(next.client, next.filter, next.qos), false);
    } else if (next.do === 'unsubscribe') {
      connection.send({ cmd: 'unsubscribe', messageId: 8, unsubscriptions: [next.filter] });
      await connection.answer('unsuback');
      this.#model.unsubscribe(next.client, next.filter);
    } else await this.#publish(connection, next.topic, next.qos, next.retain, next.empty);
    for (const other of this.#connections.keys()) await this.#expect(other, [], true);
  }

  async #connect(clientId: string, version: 3 | 4 | 5, clean: boolean): Promise<void> {
    const before = this.#connections.get(clientId);
    const properties = version === 5 && !clean ? { properties: { sessionExpiryInterval: 600 } } : {};
    const options = { clientId, clean, protocolVersion: version, ...properties };
    const raw = await RawMqtt.connect(this.#broker.mqtt, options);
    await before?.end();
    const { present, waiting } = this.#model.connect(clientId, clean, !clean);
    if (version > 3) assert.is(raw.connack.sessionPresent, present);
    const opened = (present && this.#opened.get(clientId)) || new Map();
    this.#opened.set(clientId, opened);
    const connection = new Party(raw, opened);
    this.#connections.set(clientId, connection);
    await connection.again();
    await connection.settle();
    await this.#expect(clientId, waiting, true);
  }

  async #leave(clientId: string, connection: Party, how: string): Promise<void> {
    const { counters } = this.#broker.broker;
    const { connections } = counters;
    if (how === 'disconnect') connection.send({ cmd: 'disconnect' });
    else connection.destroy();
    await eventually('the connection is gone', () => counters.connections < connections);
    this.#connections.delete(clientId);
    this.#model.leave(clientId);
  }

  async #publish(by: Party, topic: string, qosOf: Qos, retain: boolean, empty: boolean): Promise<void> {
    const payload = empty ? '' : `${++this.#published}`;
    const id = qosOf === 0 ? {} : { messageId: (this.#published % 65_535) + 1 };
    by.send({ cmd: 'publish', topic, payload, qos: qosOf, retain, dup: false, ...id });
    if (qosOf === 1) await by.answer('puback');
    if (qosOf === 2) {
      await by.answer('pubrec');
      by.send({ cmd: 'pubrel', ...id });
      await by.answer('pubcomp');
    }
    for (const [clientId, message] of this.#model.publish(topic, payload, qosOf, retain))
      await this.#expect(clientId, [message], true);
  }

  /** `ordered`: by topic and QoS, as 4.6 asks for; all of one topic and QoS here is of one order. */
  async #expect(clientId: string, expected: readonly Seen[], ordered: boolean): Promise<void> {
    const seen = await this.#connections.get(clientId)?.messages(expected.length);
    const text = (messages: readonly Seen[]): string[] => {
      const lines = messages.map(
        (each) => `${each.topic} ${each.qos} ${each.retain ? 'retained' : ''} ${each.payload}`,
      );
      return ordered ? lines : lines.sort();
    };
    assert.equal(text(seen ?? []), text(expected), `client ${clientId}`);
  }

  stop(): void {
    for (const each of this.#connections.values()) each.destroy();
  }
}

test('what each client gets is what the specification says', async () => {
  tellSeed();
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 10, maxLength: 60 }), async (commands) => {
      const broker = await startBroker();
      const run = new Run(broker);
      try {
        for (const clientId of CLIENTS) await run.apply({ do: 'connect', client: clientId, version: 4, clean: false });
        for (const each of commands) await run.apply(each);
      } finally {
        run.stop();
        await broker.broker.stop();
      }
    }),
    runs(60),
  );
});

test.run();
