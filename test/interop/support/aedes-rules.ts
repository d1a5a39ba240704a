import type { Seen } from './mqttjs.ts';
import { type Command, named, type Step } from './random-scenario.ts';

/**
 * What aedes is known to do in another way than we. A model of the sessions says what the specification wants there; only what a
 * rule names is put in the place of what aedes did.
 */

interface Session {
  readonly clean: boolean;
  readonly filters: Map<string, number>;
  /** The QoS at which messages are for it, by topic and payload. */
  readonly due: Map<string, number>;
}

const keyOf = ({ topic, payload }: { readonly topic: string; readonly payload: string }): string =>
  `${topic} ${payload}`;

/** 4.7, in the plainest form. */
function matches(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false;
  const [names, wanted] = [topic.split('/'), filter.split('/')];
  for (const [i, level] of wanted.entries()) {
    if (level === '#') return true;
    if (names[i] === undefined || (level !== '+' && level !== names[i])) return false;
  }
  return names.length === wanted.length;
}

/** What becomes of the commands, by the specification. */
class Model {
  readonly #sessions = new Map<number, Session>();
  readonly #wills = new Map<number, Seen>();
  readonly #retained = new Map<string, Seen>();
  /** Of the last CONNECT. */
  sessionPresent = false;

  session(who: number): Session | undefined {
    return this.#sessions.get(who);
  }

  perform(command: Command, name: string): void {
    const { who } = command;
    const session = this.#sessions.get(who);
    switch (command.do) {
      case 'connect': {
        const kept = command.clean ? undefined : session;
        this.sessionPresent = kept !== undefined;
        this.#sessions.set(who, kept ?? { clean: command.clean, filters: new Map(), due: new Map() });
        this.#wills.set(who, named(command.will, name));
        return;
      }
      case 'subscribe':
        this.#subscribe(session, command.filters);
        return;
      case 'unsubscribe':
        for (const filter of command.filters) session?.filters.delete(filter);
        return;
      case 'publish':
        this.#publish(named(command, name));
        return;
      default: {
        const will = this.#wills.get(who);
        if (session?.clean === true) this.#sessions.delete(who);
        if (command.do === 'drop' && will !== undefined) this.#publish(will);
      }
    }
  }

  #subscribe(session: Session | undefined, filters: readonly { topic: string; qos: number }[]): void {
    for (const message of this.#retained.values()) {
      const granted = filters.filter(({ topic }) => matches(topic, message.topic)).map(({ qos }) => qos);
      if (granted.length > 0) session?.due.set(keyOf(message), Math.min(message.qos, Math.max(...granted)));
    }
    for (const { topic, qos } of filters) session?.filters.set(topic, qos);
  }

  #publish(message: Seen): void {
    if (message.topic.startsWith('$')) return;
    for (const { filters, due } of this.#sessions.values()) {
      const granted = [...filters].filter(([filter]) => matches(filter, message.topic)).map(([, qos]) => qos);
      if (granted.length > 0) due.set(keyOf(message), Math.min(message.qos, Math.max(...granted)));
    }
    if (message.retain && message.payload === '') this.#retained.delete(message.topic);
    else if (message.retain) this.#retained.set(message.topic, message);
  }
}

/** A known difference: what aedes did in a step, with what is to be expected of us in its place. */
interface Rule {
  readonly name: string;
  readonly apply: (step: Step, model: Model) => Step;
}

const eachSeen = (step: Step, change: (seen: readonly Seen[], who: number) => readonly Seen[]): Step => ({
  ...step,
  seen: step.seen.map((seen, i) => change(seen, i - 1)),
});

const RULES: readonly Rule[] = [
  {
    name: 'it passes on messages to topics with $ (4.7.2), and tells of itself below $SYS',
    apply: (step) => eachSeen(step, (seen) => seen.filter(({ topic }) => !topic.startsWith('$'))),
  },
  {
    name: 'it keeps no session without a subscription, so that none is present [MQTT-3.2.2-2]',
    apply: (step, model) => {
      if (step.command.do !== 'connect' || (model.session(step.command.who)?.filters.size ?? 0) > 0) return step;
      return { ...step, answer: [0, model.sessionPresent] };
    },
  },
  {
    name: 'it leaves RETAIN set on what waited for a session [MQTT-3.3.1-9]',
    apply: (step) =>
      step.command.do === 'connect' ? eachSeen(step, (seen) => seen.map((each) => ({ ...each, retain: false }))) : step,
  },
  {
    name: 'of what waited for a session it sends one for each filter that matches (3.3.5 leaves that open)',
    apply: (step) =>
      step.command.do === 'connect'
        ? eachSeen(step, (seen) => [...new Map(seen.map((each) => [keyOf(each), each])).values()])
        : step,
  },
  {
    name: 'it delivers at the QoS of the publication: retained messages, and ones that waited [MQTT-3.8.4-6]; and where filters overlap, at that of any of them [MQTT-3.3.5-1]',
    apply: (step, model) =>
      eachSeen(step, (seen, who) =>
        seen.map((each) => ({ ...each, qos: model.session(who)?.due.get(keyOf(each)) ?? each.qos })),
      ),
  },
];

/**
 * What the specification leaves open, of both. Retained messages: in which order the topics come, and whether one comes once for each
 * filter of a SUBSCRIBE (3.8.4): the highest QoS counts. And what aedes does not do at all: it sends no retained message again that
 * is not acknowledged [MQTT-4.4.0-1]; test/spec has that.
 */
export function asCompared(steps: readonly Step[]): Step[] {
  return steps.map((step) =>
    eachSeen(step, (seen) => {
      if (step.command.do === 'connect') return seen.filter(({ retain }) => !retain);
      return step.command.do === 'subscribe' ? highestOfEach(seen) : seen;
    }),
  );
}

function highestOfEach(seen: readonly Seen[]): Seen[] {
  const highest = new Map<string, Seen>();
  for (const each of seen) {
    const known = highest.get(keyOf(each));
    if (known === undefined || known.qos < each.qos) highest.set(keyOf(each), each);
  }
  return [...highest.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** What aedes saw, as far as it is to be what we see. */
export function withoutDifferences(steps: readonly Step[]): Step[] {
  const model = new Model();
  return steps.map((step) => {
    model.perform(step.command, step.name);
    return RULES.reduce((changed, { apply }) => apply(changed, model), step);
  });
}
