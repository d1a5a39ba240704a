import * as fc from 'fast-check';
import type { Address } from '../../../src/broker.ts';
import { eventually } from '../../support/eventually.ts';
import { Actor, type Will } from './actor.ts';
import type { Seen } from './mqttjs.ts';

/** What several clients do, one after the other, and what each of them sees of it. */

export type Command =
  | {
      readonly do: 'connect';
      readonly who: number;
      readonly clean: boolean;
      readonly will: Will;
      readonly acknowledges: boolean;
    }
  | { readonly do: 'subscribe'; readonly who: number; readonly filters: readonly { topic: string; qos: 0 | 1 | 2 }[] }
  | { readonly do: 'unsubscribe'; readonly who: number; readonly filters: readonly string[] }
  | ({ readonly do: 'publish'; readonly who: number } & Will)
  | { readonly do: 'end' | 'drop'; readonly who: number };

const CLIENTS = 3;
/**
 * Without empty levels: what aedes keeps of messages does not match them by `+`, and it closes the connection that acknowledges such
 * a message. They are in `aedes.ts`.
 */
const TOPICS = ['a', 'a/b', 'a/b/c', 'b', 'b/c', 'x/b', '$x', '$x/b'];
const FILTERS = [
  ...TOPICS,
  ...['#', '+', '+/+', 'a/#', 'a/+', 'a/+/c', '+/b', '+/b/#', 'b/+', 'x/#', '$x/#', '$x/+', '+/+/+', 'a/b/#'],
];

const who = fc.nat({ max: CLIENTS - 1 });
const qos = fc.constantFrom<0 | 1 | 2>(0, 1, 2);
const topic = fc.constantFrom(...TOPICS);
const filter = fc.constantFrom(...FILTERS);
const message = fc
  .record({
    topic,
    qos,
    retain: fc.boolean(),
    // Empty: with RETAIN it clears what is retained.
    payload: fc.oneof({ weight: 4, arbitrary: fc.constant('text') }, { weight: 1, arbitrary: fc.constant('') }),
  })
  // aedes retains those of topics with `$`, and sends them to who subscribes with a wildcard in that place [MQTT-4.7.2-1].
  .map((each) => ({ ...each, retain: each.retain && !each.topic.startsWith('$') }));

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      ...{ do: fc.constant('connect'), who, clean: fc.boolean() },
      will: fc.record({
        topic: fc.constantFrom('w', 'w/b', 'a'),
        qos,
        retain: fc.boolean(),
        payload: fc.constant('will'),
      }),
      acknowledges: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ do: fc.constant('subscribe'), who },
      filters: fc.uniqueArray(fc.record({ topic: filter, qos }), {
        minLength: 1,
        maxLength: 3,
        selector: (each) => each.topic,
      }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      ...{ do: fc.constant('unsubscribe'), who },
      filters: fc.array(filter, { minLength: 1, maxLength: 2 }),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.tuple(who, message).map(([by, each]): Command => ({ do: 'publish', who: by, ...each })),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('end', 'drop'), who }) },
);

/**
 * aedes does not keep the retained messages that it sends among what is in flight, and sends those found by a wildcard at the QoS
 * that they were published with: it closes the connection that then acknowledges what it does not know of. So none is of
 * QoS 2, and either all are of QoS 0, or such filters are not.
 */
function adapt(command: Command, highest: 0 | 1): Command {
  const lower = <T extends { qos: 0 | 1 | 2; retain: boolean }>(each: T): T =>
    each.retain && each.qos > highest ? { ...each, qos: highest } : each;
  if (command.do === 'publish') return lower(command);
  if (command.do === 'connect') return { ...command, will: lower(command.will) };
  if (command.do !== 'subscribe' || highest === 0) return command;
  const filters = command.filters.map((each) =>
    each.qos === 0 && /[+#]/.test(each.topic) ? { ...each, qos: 1 as const } : each,
  );
  return { ...command, filters };
}

export const scenario: fc.Arbitrary<Command[]> = fc
  .tuple(fc.constantFrom<0 | 1>(0, 1), fc.array(command, { maxLength: 40, size: 'max' }))
  .map(([highest, commands]) => commands.map((each) => adapt(each, highest)));

/** What came of a command. */
export interface Step {
  readonly command: Command;
  /** Makes its messages unique. */
  readonly name: string;
  /** Of CONNACK or SUBACK. */
  readonly answer: unknown;
  /** What each client got, in its order. */
  readonly seen: readonly (readonly Seen[])[];
}

/** Quiet rounds after which nothing more is on its way: both brokers may send something a few turns after their answer. */
const QUIET = 2;

/** Runs the commands on a broker that has nothing yet; those that make no sense at their place are left out. */
export async function play(address: Address, commands: readonly Command[]): Promise<Step[]> {
  const scene = await Scene.open(address);
  try {
    const steps: Step[] = [];
    for (const [number, each] of commands.entries()) {
      const name = String(number);
      const answer = scene.perform(each, name);
      if (answer !== undefined) steps.push({ command: each, name, answer: await answer, seen: await scene.settled() });
    }
    return steps;
  } finally {
    scene.close();
  }
}

class Scene {
  readonly #address: Address;
  /** Sees everything that is published, wills too: they come when the broker has seen that a connection is lost. */
  readonly #watcher: Actor;
  readonly #actors: (Actor | undefined)[] = Array.from({ length: CLIENTS }, () => undefined);
  readonly #wills = new Map<Actor, string>();

  private constructor(address: Address, watcher: Actor) {
    this.#address = address;
    this.#watcher = watcher;
  }

  static async open(address: Address): Promise<Scene> {
    const terms = { clientId: 'watcher', clean: true, will: undefined, acknowledges: true };
    const [watcher] = await Actor.connect(address, terms);
    await watcher.subscribe([{ topic: '#', qos: 2 }]);
    return new Scene(address, watcher);
  }

  /** What the broker answers; undefined when the client is not in a state to do it. */
  perform(command: Command, name: string): Promise<unknown> | undefined {
    const actor = this.#actors[command.who];
    if (command.do === 'connect') return actor === undefined ? this.#connect(command, name) : undefined;
    if (actor === undefined) return undefined;
    switch (command.do) {
      case 'subscribe':
        return actor.subscribe(command.filters);
      case 'unsubscribe':
        return answered(actor.unsubscribe(command.filters));
      case 'publish':
        return answered(actor.publish(named(command, name)));
      case 'end':
        this.#actors[command.who] = undefined;
        return answered(actor.end());
      case 'drop':
        this.#actors[command.who] = undefined;
        return answered(this.#drop(actor));
    }
  }

  async #connect(command: Extract<Command, { do: 'connect' }>, name: string): Promise<unknown> {
    const { clean, acknowledges, who: index } = command;
    const will = named(command.will, name);
    const [actor, connack] = await Actor.connect(this.#address, {
      clientId: `client${index}`,
      clean,
      will,
      acknowledges,
    });
    this.#actors[index] = actor;
    this.#wills.set(actor, will.payload);
    return [connack.returnCode, connack.sessionPresent];
  }

  async #drop(actor: Actor): Promise<void> {
    const will = this.#wills.get(actor);
    actor.drop();
    await eventually('the will', async () => {
      await this.#watcher.ping();
      return this.#watcher.received.some(({ payload }) => payload === will);
    });
  }

  /** What each has got since, when nothing more comes. */
  async settled(): Promise<Seen[][]> {
    const present = [this.#watcher, ...this.#actors];
    for (let quiet = 0; quiet < QUIET; ) {
      const before = count(present);
      for (const each of present) await each?.ping();
      quiet = count(present) === before ? quiet + 1 : 0;
    }
    return present.map((each) => each?.received.splice(0) ?? []);
  }

  close(): void {
    for (const each of [this.#watcher, ...this.#actors]) each?.drop();
  }
}

async function answered(done: Promise<unknown>): Promise<'done'> {
  await done;
  return 'done';
}

/** Messages are told apart by their payload; an empty one stays empty. */
export function named({ topic: to, qos: at, retain, payload }: Will, name: string): Will {
  return { topic: to, qos: at, retain, payload: payload === '' ? '' : payload + name };
}

const count = (actors: readonly (Actor | undefined)[]): number =>
  actors.reduce((sum, each) => sum + (each?.received.length ?? 0), 0);
