import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Harness, type TestClient } from '../spec/stomp/support/harness.ts';
import { runs, tellSeed } from '../support/fuzz-runs.ts';
import { type ReferenceFrame, readStomp, type StompVersion } from '../support/stomp-reference.ts';
import { version } from './support/stomp-arbitraries.ts';
import { type AckMode, type Command, LIMITS, type Seen, StompModel } from './support/stomp-model.ts';

/**
 * Random sequences of a few clients of every version, against a model: who gets what, in which order and how often, what is an
 * ERROR, and that a receipt comes, once, not before its effect.
 */

const test = suite('fuzz/stomp-sequences');
tellSeed();

const CLIENTS = ['a', 'b', 'c'];
const QUEUES = ['/queue/x', '/queue/y'];
const TOPICS = ['/topic/x', '/topic/x.y', '/topic/z'];
const FILTERS = [...TOPICS, '/topic/#', '/topic/*', '/topic/x.#', '/topic/*.y'];
const limits = {
  outboxMessages: 1000,
  publishBacklog: 1000,
  subscriptionsPerSession: LIMITS.subscriptions,
  transactions: LIMITS.transactions,
  transactionActions: LIMITS.transactionActions,
  transactionBytes: 100_000,
};

const some = <T>(usual: fc.Arbitrary<T>, not: T, weight: number): fc.Arbitrary<T> =>
  fc.oneof({ weight, arbitrary: fc.constant(not) }, { weight: 1, arbitrary: usual });
const tx = some(fc.constantFrom('t', 'u'), '', 1);
/** Which of the messages that came on the connection: mostly of the last ones. */
const which = fc.oneof(fc.constant(-1), fc.integer({ min: -4, max: -1 }), fc.integer({ min: -20, max: 2 }));

const step = fc.record({
  client: fc.constantFrom(...CLIENTS),
  receipt: fc.boolean(),
  /** Does what is right, if that can be. */
  careful: fc.integer({ min: 0, max: 20 }).map((n) => n > 0),
  action: fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('subscribe' as const),
        id: fc.constantFrom('1', '2', '3', '4', '5'),
        to: fc.constantFrom(...QUEUES, ...QUEUES, ...FILTERS),
        ack: fc.constantFrom<AckMode>('auto', 'client', 'client', 'client-individual', 'client-individual'),
        window: fc.integer({ min: 1, max: 4 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('unsubscribe' as const), id: fc.constantFrom('1', '2', '3') }),
    },
    {
      weight: 10,
      arbitrary: fc.record({
        do: fc.constant('send' as const),
        to: fc.constantFrom(...QUEUES, ...QUEUES, ...TOPICS),
        durable: fc.boolean(),
        tx,
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constantFrom('ack' as const, 'ack' as const, 'nack' as const),
        which,
        requeue: some(fc.constant(false), true, 4),
        tx,
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constantFrom('begin' as const, 'commit' as const, 'commit' as const, 'abort' as const),
        tx: fc.constantFrom('t', 'u'),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('disconnect' as const, 'drop' as const), version }) },
  ),
});
type Leave = { readonly version: StompVersion };
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Frames of a connection; what it is named by in the model goes on over its connections. */
interface Party {
  readonly version: StompVersion;
  readonly client: TestClient;
}

const header = (frame: ReferenceFrame, name: string): string | undefined =>
  frame.headers.find(([each]) => each === name)?.[1];

const tally = { steps: 0, messages: 0, errors: 0, receipts: 0 };

class Run {
  readonly #harness = Harness.open(limits);
  readonly #model = new StompModel();
  readonly #parties = new Map<string, Party>();
  #number = 0;
  /** Came before the end of the turn. */
  #early: readonly ReferenceFrame[] = [];

  connect(name: string, spoken: StompVersion): void {
    this.#parties.set(name, { version: spoken, client: this.#harness.connect(spoken) });
    this.#model.connect(name);
  }

  async apply({ client: name, receipt, careful, action }: Step): Promise<void> {
    const party = this.#parties.get(name);
    if (party === undefined) throw new Error(`${name} is not connected`);
    const asked = receipt ? `r${++this.#number}` : undefined;
    if ('version' in action) {
      await this.#leave(name, party, action.do, asked);
      this.connect(name, action.version);
      return;
    }
    const command = this.#command(name, action, careful);
    const right = this.#model.right(name, command);
    // A COMMIT of what is settled by now is a mistake that the careful make, too.
    if (careful && !right && !(command.do === 'commit' && this.#model.holds(name, command.tx))) return;
    tally.steps++;
    this.#write(party, command, asked);
    if (asked !== undefined && command.do === 'send' && command.tx === '') this.#notYet(party);
    const answers = right ? this.#model.apply(name, command, asked) : [];
    if (!right) this.#model.leave(name);
    await this.#harness.turn();
    const own = this.#observe(name);
    if (right) {
      assert.equal(
        own,
        answers.map((id) => `RECEIPT ${id}`),
        JSON.stringify(command),
      );
      assert.not(party.client.closed);
      return;
    }
    tally.errors++;
    assert.equal(own, [`ERROR ${asked ?? ''}`], `${JSON.stringify(command)} is an ERROR`);
    assert.ok(party.client.closed, 'an ERROR ends the connection');
    this.connect(name, party.version);
  }

  /** The careful name transactions that there are. */
  #command(name: string, given: Exclude<Step['action'], Leave>, careful: boolean): Command {
    const model = this.#model;
    const tx = (each: string): string =>
      careful && each !== '' && !model.holds(name, each) ? (model.open(name)[0] ?? '') : each;
    const action = 'tx' in given && given.do !== 'begin' ? { ...given, tx: tx(given.tx) } : given;
    if (action.do === 'send') return { ...action, body: `m${++this.#number}` };
    if (!('which' in action)) return action;
    return { ...action, ackId: model.issued(name, !careful || action.which % 4 === 0).at(action.which) };
  }

  #write({ client, version: spoken }: Party, command: Command, asked: string | undefined): void {
    const transaction = 'tx' in command && command.tx !== '' ? command.tx : undefined;
    const of = (headers: Readonly<Record<string, string | undefined>>): string[] =>
      Object.entries({ ...headers, transaction, receipt: asked }).flatMap(([name, value]) =>
        value === undefined ? [] : [`${name}:${value}`],
      );
    let lines = of({});
    let body = '';
    if (command.do === 'subscribe') {
      const { id, to, ack, window } = command;
      lines = of({ id, destination: to, ack, 'prefetch-count': `${window}` });
    } else if (command.do === 'unsubscribe') lines = of({ id: command.id });
    else if (command.do === 'send') {
      lines = of({ destination: command.to, persistent: command.durable ? 'true' : undefined });
      body = command.body;
    } else if (command.do === 'ack' || command.do === 'nack') {
      const id = { [spoken === '1.2' ? 'id' : 'message-id']: command.ackId ?? 'none' };
      lines = of({ ...id, requeue: command.requeue || command.do === 'ack' ? undefined : 'false' });
    }
    const text = `${[command.do.toUpperCase(), ...lines].join('\n')}\n\n${body}\0`;
    // What is to be done later in the turn is not done yet.
    client.channel.receive(Buffer.from(text), this.#harness.clock.now());
  }

  /** What was sent is not durable before the end of the turn, so that no receipt can say so. */
  #notYet({ client, version: spoken }: Party): void {
    const { frames } = readStomp(client.connection.take(), { by: 'server', version: spoken, connected: true });
    assert.equal(
      frames.filter(({ command }) => command === 'RECEIPT'),
      [],
    );
    this.#early = frames;
  }

  async #leave(name: string, party: Party, how: 'disconnect' | 'drop', asked: string | undefined): Promise<void> {
    this.#model.leave(name);
    if (how === 'drop') party.client.drop();
    else {
      party.client.send('DISCONNECT', asked === undefined ? [] : [`receipt:${asked}`]);
      await this.#harness.turn();
      const { frames } = readStomp(party.client.connection.take(), {
        by: 'server',
        version: party.version,
        connected: true,
      });
      assert.equal(frames.map(told), asked === undefined ? [] : [`RECEIPT ${asked}`]);
      assert.ok(party.client.closed);
    }
    await this.#harness.turn();
    this.#observe(name);
  }

  /** Gives the model what all clients got, and returns what is no message of one of them. */
  #observe(name: string): string[] {
    const seen = new Map<string, readonly Seen[]>();
    let own: string[] = [];
    for (const [each, party] of this.#parties) {
      const bytes = party.client.connection.take();
      const { frames, fault, left } = readStomp(bytes, { by: 'server', version: party.version, connected: true });
      assert.is(fault, undefined);
      assert.is(left, 0);
      const all = each === name ? [...this.#early, ...frames] : frames;
      const others = all.filter(({ command }) => command !== 'MESSAGE').map(told);
      if (each === name) own = others;
      else assert.equal(others, [], `${each} had nothing to be told`);
      seen.set(
        each,
        all.filter(({ command }) => command === 'MESSAGE').map((frame) => messageOf(frame, party.version)),
      );
    }
    for (const messages of seen.values()) tally.messages += messages.length;
    tally.receipts += own.filter((each) => each.startsWith('RECEIPT')).length;
    this.#early = [];
    this.#model.take(seen);
    return own;
  }

  end(): void {
    for (const { client } of this.#parties.values()) client.drop();
    assert.is(this.#harness.warnings.join(), '');
  }
}

function told(frame: ReferenceFrame): string {
  return `${frame.command} ${header(frame, 'receipt-id') ?? ''}`;
}

function messageOf(frame: ReferenceFrame, spoken: StompVersion): Seen {
  const ackId = (spoken === '1.2' ? header(frame, 'ack') : undefined) ?? header(frame, 'message-id');
  return {
    subscription: header(frame, 'subscription') ?? '',
    ackId: ackId ?? '',
    body: `${frame.body}`,
    redelivered: header(frame, 'redelivered') === 'true',
    count: Number(header(frame, 'delivery-count') ?? 1),
    durable: header(frame, 'persistent') === 'true',
  };
}

test('what each client gets is what the specification and the README say', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(version, version, version),
      fc.array(step, { maxLength: 150, size: 'max' }),
      async (versions, steps) => {
        const run = new Run();
        for (const [i, name] of CLIENTS.entries()) run.connect(name, versions[i] ?? '1.2');
        for (const each of steps) await run.apply(each);
        run.end();
      },
    ),
    runs(200),
  );
  console.log(`measured: ${JSON.stringify(tally)}`);
});

test.run();
