import { createWebSocket } from '../../../../protocols/websocket/index.ts';
import { resolveConfig } from '../../../../src/config/load.ts';
import { Counters } from '../../../../src/core/counters.ts';
import { BrokerError, type FaultCode } from '../../../../src/core/errors.ts';
import { matches } from '../../../../src/core/filter.ts';
import { Message, type Publisher } from '../../../../src/core/message.ts';
import type { Authorizer, Credentials } from '../../../../src/ports/authorizer.ts';
import type { AppendReceiver } from '../../../../src/ports/backbone.ts';
import type { Clock } from '../../../../src/ports/clock.ts';
import type { Limits } from '../../../../src/ports/limits.ts';
import type { Channel } from '../../../../src/ports/protocol.ts';
import type {
  Logger,
  Outbox,
  OutboxSink,
  Router,
  Services,
  Subscriber,
  Subscription,
} from '../../../../src/ports/routing.ts';
import { ConnectionBacklog } from '../../../../src/routing/backlog.ts';
import { FakeConnection } from './connection.ts';

/** Routes by the definition of matching; durable messages are logged when the test says so. */
class FakeRouter implements Router {
  readonly subscriptions: Subscription[] = [];
  readonly published: Message[] = [];
  readonly requested: { message: Message; nobody: () => void }[] = [];
  readonly waiting: { message: Message; receiver: AppendReceiver; token: number }[] = [];
  sequence = 1;

  publish(message: Message, receiver: AppendReceiver, token: number): void {
    this.published.push(message);
    if (message.qos === 0) this.route(message);
    else this.waiting.push({ message, receiver, token });
  }

  publishAll(): never {
    throw new Error('nothing is published so here');
  }

  request(message: Message, nobody: () => void): void {
    this.requested.push({ message, nobody });
    this.route(message);
  }

  subscribe(subscription: Subscription): void {
    this.subscriptions.push(subscription);
  }

  unsubscribe(subscription: Subscription): void {
    this.subscriptions.splice(this.subscriptions.indexOf(subscription), 1);
  }

  positions(): readonly number[] {
    return [this.sequence];
  }

  congested(): boolean {
    return false;
  }

  /** What waits becomes durable, or is found to be so already. */
  append(repeated?: boolean): void {
    for (const { message, receiver, token } of this.waiting.splice(0)) {
      message.sequence = this.sequence++;
      this.route(message);
      receiver.appended(token, message, repeated);
    }
  }

  refuse(code: FaultCode, text: string): void {
    for (const { receiver, token } of this.waiting.splice(0)) receiver.refused(token, new BrokerError(code, text));
  }

  route(message: Message): void {
    const targets = new Map<Subscriber, Subscription[]>();
    for (const each of this.subscriptions) {
      if (!matches(each.filter, message.topic)) continue;
      if (each.noLocal && each.subscriber.clientId === message.publisher.clientId) continue;
      targets.set(each.subscriber, [...(targets.get(each.subscriber) ?? []), each]);
    }
    message.fanout = targets.size;
    for (const [subscriber, subscriptions] of targets) subscriber.deliver(message, subscriptions);
  }
}

/** Holds what the sink is not ready for, without end. */
class FakeOutbox implements Outbox {
  closed = false;
  readonly held: (() => void)[] = [];
  readonly sink: OutboxSink;
  readonly from: readonly number[] | undefined;

  constructor(sink: OutboxSink, from?: readonly number[]) {
    this.sink = sink;
    this.from = from;
  }

  deliver(message: Message, subscriptions: readonly Subscription[]): void {
    this.held.push(() => this.sink.send(message, subscriptions, false));
    this.pump();
  }

  replay(subscription: Subscription, match: (visit: (message: Message) => void) => void): void {
    match((message) => this.held.push(() => this.sink.send(message, [subscription], true)));
    this.pump();
  }

  forget(): void {}

  pump(): void {
    while (this.held.length > 0 && this.sink.ready()) this.held.shift()?.();
  }

  positions(): readonly number[] {
    return [];
  }

  close(): void {
    this.closed = true;
  }
}

const DENIED = /^(\$queue\/)?denied/;

class FakeAuthorizer implements Authorizer {
  readonly seen: Credentials[] = [];
  answer: 'badCredentials' | 'notAuthorized' | undefined;

  authenticate(credentials: Credentials): { name: string } | 'badCredentials' | 'notAuthorized' {
    this.seen.push(credentials);
    return this.answer ?? { name: 'someone' };
  }

  mayPublish(_: unknown, topic: string): boolean {
    return !DENIED.test(topic);
  }

  maySubscribe(_: unknown, filter: string): boolean {
    return !DENIED.test(filter);
  }
}

export const NOW = 1_800_000_000_000;

export class FakeClock implements Clock {
  time = NOW;
  readonly timers = new Set<{ readonly at: number; readonly task: () => void }>();
  #random = 0;

  now(): number {
    return this.time;
  }

  schedule(delay: number, task: () => void): { cancel(): void } {
    const timer = { at: this.time + delay, task };
    this.timers.add(timer);
    return { cancel: () => this.timers.delete(timer) };
  }

  advance(milliseconds: number): void {
    this.time += milliseconds;
    for (const timer of this.timers) {
      if (timer.at > this.time) continue;
      this.timers.delete(timer);
      timer.task();
    }
  }

  defer(task: () => void): void {
    task();
  }

  random(count: number): Uint8Array {
    return new Uint8Array(count).fill(++this.#random);
  }
}

export const LIMITS: Limits = {
  ...resolveConfig().limits,
  topicBytes: 200,
  topicLevels: 16,
  connections: 10,
  connectionsPerAddress: 10,
  passwordChecksWaiting: 10,
  loginPacketBytes: 1000,
  packetBytes: 100_000,
  outputBytes: 10_000,
  clientIdBytes: 100,
  subscriptionsPerSession: 5,
  inflightOut: 10,
  inflightIn: 10,
  outboxMessages: 10,
  outboxBytes: 1_000_000,
  publishBacklog: 4,
  detachedSessions: 10,
  sessionExpirySeconds: 100,
  userProperties: 4,
  userPropertyBytes: 100,
  topicAliases: 10,
  topicAliasesOut: 10,
  retainedMessages: 10,
  retainedBytes: 10_000,
  queues: 10,
  queueMessages: 10,
  queueBytes: 10_000,
  stompHeaders: 10,
  stompHeaderBytes: 1000,
  stompPrefetch: 10,
  transactions: 2,
  transactionActions: 10,
  transactionBytes: 10_000,
  heartBeatMilliseconds: 1000,
  requests: 3,
  webSocketFragments: 10,
};

const silent = (): void => {};
const LOGGER: Logger = { debug: silent, info: silent, warn: silent, error: silent };

function unexpected(): never {
  throw new Error('not expected of this protocol');
}

/** A broker of fakes, with as many connections as a test wants. */
export class World {
  readonly router = new FakeRouter();
  readonly authorizer = new FakeAuthorizer();
  readonly clock = new FakeClock();
  readonly counters = new Counters();
  readonly outboxes: FakeOutbox[] = [];
  readonly retained: Message[] = [];
  readonly services: Services;

  constructor(limits: Partial<Limits> = {}, given: Partial<Services> = {}) {
    this.services = {
      router: this.router,
      queues: {
        consume: unexpected,
        declare: unexpected,
        status: unexpected,
        has: unexpected,
        list: unexpected,
        browse: unexpected,
        purge: unexpected,
        delete: unexpected,
      },
      retained: {
        match: (filter, visit) => {
          for (const each of this.retained) if (matches(filter, each.topic)) visit(each);
        },
      },
      clock: this.clock,
      authorizer: this.authorizer,
      counters: this.counters,
      limits: { ...LIMITS, ...limits },
      logger: LOGGER,
      wills: { arm: unexpected, fire: unexpected, cancel: unexpected, release: unexpected },
      outbox: (sink, from) => {
        const outbox = new FakeOutbox(sink, from);
        this.outboxes.push(outbox);
        return outbox;
      },
      sessions: { open: unexpected },
      unmatched: unexpected,
      logs: () => false,
      groups: { join: unexpected, status: unexpected, move: unexpected, delete: unexpected },
      startOf: unexpected,
      backlog: (connection) => new ConnectionBacklog(this.router, connection, this.services.limits.publishBacklog),
      recall: unexpected,
      ...given,
    };
  }

  connect(): Client {
    const connection = new FakeConnection();
    return new Client(this, connection, createWebSocket(this.services).open(connection));
  }

  /** A client past its hello. */
  login(clientId = 'c1'): Client {
    const client = this.connect();
    client.ask({ type: 'hello', clientId });
    return client;
  }
}

export class Client {
  readonly world: World;
  readonly connection: FakeConnection;
  readonly channel: Channel;

  constructor(world: World, connection: FakeConnection, channel: Channel) {
    this.world = world;
    this.connection = connection;
    this.channel = channel;
  }

  /** Sends one message; what came back since the last look. */
  ask(request: unknown): Record<string, unknown>[] {
    return this.raw(Buffer.from(JSON.stringify(request)));
  }

  raw(bytes: Buffer): Record<string, unknown>[] {
    this.channel.receive(bytes, this.world.clock.time);
    return this.connection.take();
  }
}

export const DEVICE: Publisher = { clientId: 'device-1', protocol: 'mqtt' };

/** A message from elsewhere. */
export function fromDevice(topic: string, payload: string | Uint8Array, qos: 0 | 1 | 2 = 0, retain = false): Message {
  const data = typeof payload === 'string' ? Buffer.from(payload) : payload;
  return new Message(topic, data, 0, data.length, qos, retain, undefined, DEVICE, NOW);
}
