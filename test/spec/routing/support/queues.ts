import { MemoryQueueStores } from '../../../../adapters/memory/queues.ts';
import { MemoryState } from '../../../../adapters/memory/state.ts';
import { resolveConfig } from '../../../../src/config/load.ts';
import { Counters } from '../../../../src/core/counters.ts';
import type { BrokerError } from '../../../../src/core/errors.ts';
import { Message, type Properties, type Qos } from '../../../../src/core/message.ts';
import { DEFAULT_SETTINGS, type PartialSettings, type QueueSettings } from '../../../../src/core/queue-settings.ts';
import type { AppendReceiver } from '../../../../src/ports/backbone.ts';
import type { Limits } from '../../../../src/ports/limits.ts';
import type { QueueStores } from '../../../../src/ports/queue-store.ts';
import type { Consumer, ConsumerOptions, Consumption, Delivery } from '../../../../src/ports/queues.ts';
import type { Logger } from '../../../../src/ports/routing.ts';
import { QueueCatalog } from '../../../../src/routing/queues/catalog.ts';
import { LocalQueues } from '../../../../src/routing/queues/local-queues.ts';
import { ManualClock, MortalClock } from '../../../support/manual-clock.ts';

export const LIMITS: Limits = resolveConfig({ limits: { queues: 20, queueMessages: 1000 } }).limits;

export function messageOf(body: string, properties?: Properties, topic = '$queue/q', qos: Qos = 1, now = 0): Message {
  const bytes = Buffer.from(body);
  return new Message(topic, bytes, 0, bytes.length, qos, false, properties, { clientId: 'p', protocol: 'mqtt' }, now);
}

export function bodyOf(message: Message): string {
  return Buffer.from(message.payload()).toString();
}

const NOBODY: AppendReceiver = { appended() {}, refused() {} };

/** Remembers what it got, and what of it is not settled. */
export class Recorder implements Consumer {
  readonly options: ConsumerOptions;
  /** `BODY`, with `*` when it was delivered before. */
  readonly got: string[] = [];
  readonly unsettled = new Map<string, number>();
  readonly deliveries: Delivery[] = [];
  readonly messages: Message[] = [];
  consumption: Consumption | undefined;
  open = true;
  error: BrokerError | undefined;
  onTake: ((body: string, delivery: Delivery) => void) | undefined;

  constructor(options: Partial<ConsumerOptions> = {}) {
    this.options = { clientId: 'c', prefetch: 100, priority: 0, exclusive: false, ...options };
  }

  ready(): boolean {
    return this.open;
  }

  take(message: Message, delivery: Delivery): void {
    const body = bodyOf(message);
    this.got.push(delivery.redelivered ? `${body}*` : body);
    this.messages.push(message);
    this.deliveries.push(delivery);
    this.unsettled.set(body, delivery.number);
    this.onTake?.(body, delivery);
  }

  ended(error: BrokerError): void {
    this.error = error;
  }

  settle(body: string, outcome: 'accept' | 'requeue' | 'reject' = 'accept', delay?: number): void {
    const number = this.unsettled.get(body);
    if (number === undefined) throw new Error(`${body} is not with this consumer`);
    this.unsettled.delete(body);
    this.consumption?.settle(number, outcome, delay);
  }

  settleAll(): void {
    for (const body of [...this.unsettled.keys()]) this.settle(body);
  }
}

/** Queues of one node in memory, which may be killed and started again. */
export class QueueWorld {
  readonly clock = new ManualClock();
  readonly state = new MemoryState();
  readonly kept = new MemoryQueueStores({ seconds: 120, messages: 1000 }, this.clock);
  readonly counters = new Counters();
  readonly logged: string[] = [];
  readonly answers: string[] = [];
  /** Dead letters on topics; the first ones are refused, if there are reasons for it. */
  readonly published: Message[] = [];
  readonly refusals: BrokerError[] = [];
  readonly receiver: AppendReceiver = {
    appended: (token, _, repeated) => this.answers.push(`${token}${repeated === true ? ' repeated' : ''}`),
    refused: (token, error) => this.answers.push(`${token} ${error.code}: ${error.message}`),
  };
  readonly #defaults: QueueSettings;
  readonly #limits: Limits;
  readonly #stores: QueueStores;
  readonly logger: Logger;
  #process = new MortalClock(this.clock);
  /** Of this queue nobody hears that a message is in it, until the process is killed. */
  #mute: string | undefined;
  catalog: QueueCatalog;
  queues: LocalQueues;

  constructor(defaults: Partial<QueueSettings> = {}, limits: Partial<Limits> = {}, stores?: QueueStores) {
    this.#defaults = { ...DEFAULT_SETTINGS, ...defaults };
    this.#limits = { ...LIMITS, ...limits };
    this.#stores = stores ?? this.kept;
    const log = (_: object, text: string): void => {
      this.logged.push(text);
    };
    this.logger = { debug() {}, info: log, warn: log, error: log };
    [this.catalog, this.queues] = this.#make();
  }

  #make(): [QueueCatalog, LocalQueues] {
    const catalog = new QueueCatalog(this.state, this.#defaults, this.#limits, this.logger);
    const process = this.#process;
    const queues = new LocalQueues({
      // What a killed process has begun does not go on.
      stores: {
        open: async (name, receiver) => {
          if (process.dead) return new Promise(() => {});
          const store = await this.#stores.open(name, receiver);
          const push = store.push.bind(store);
          store.push = (message, hears, token) => push(message, this.#mute === name ? NOBODY : hears, token);
          return store;
        },
      },
      catalog,
      node: 'node',
      limits: this.#limits,
      counters: this.counters,
      clock: process,
      logger: this.logger,
      publish: (message, receiver, token) => {
        this.published.push(message);
        const refusal = this.refusals.shift();
        if (refusal === undefined) process.defer(() => receiver.appended(token, message));
        else process.defer(() => receiver.refused(token, refusal));
      },
    });
    return [catalog, queues];
  }

  async start(): Promise<this> {
    await this.catalog.start();
    this.queues.start();
    return this;
  }

  push(body: string, properties?: Properties, queue = 'q', token = 0): void {
    const message = messageOf(body, properties, `$queue/${queue}`, 1, this.clock.now());
    this.queues.push(queue, message, this.receiver, token);
  }

  request(queue: string, body: string, nobody: () => void): void {
    this.queues.request(queue, messageOf(body, undefined, `$queue/${queue}`, 0, this.clock.now()), nobody);
  }

  async declare(queue: string, settings: PartialSettings): Promise<void> {
    const declared = this.queues.declare(queue, settings);
    await this.clock.settle();
    await declared;
  }

  consume(options: Partial<ConsumerOptions> = {}, queue = 'q', settings?: PartialSettings): Recorder {
    const consumer = new Recorder(options);
    consumer.consumption = this.queues.consume(queue, consumer, consumer.options, settings);
    return consumer;
  }

  loseAnswers(queue: string): void {
    this.#mute = queue;
  }

  /** Kills the process, and starts another one. */
  async crash(): Promise<void> {
    this.#process.kill();
    this.#mute = undefined;
    this.kept.crash();
    await this.#again();
  }

  async restart(): Promise<void> {
    const stopped = this.queues.stop();
    await this.clock.settle();
    await stopped;
    this.#process.kill();
    await this.#again();
  }

  async #again(): Promise<void> {
    this.#process = new MortalClock(this.clock);
    [this.catalog, this.queues] = this.#make();
    await this.start();
  }

  /** A consumer of `q` whose every message is looked at when it comes. */
  consumer(options: ConsumerOptions, onTake: (body: string, delivery: Delivery) => void): Recorder {
    const consumer = new Recorder(options);
    consumer.onTake = onTake;
    consumer.consumption = this.queues.consume('q', consumer, options);
    return consumer;
  }

  async bodies(queue = 'q'): Promise<string[]> {
    if (!this.queues.list().includes(queue)) return [];
    const portion = this.queues.browse(queue, 0, 10_000);
    await this.clock.settle();
    return (await portion).messages.map(({ message }) => bodyOf(message));
  }

  settle(): Promise<void> {
    return this.clock.settle();
  }
}
