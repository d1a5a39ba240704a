import type { BrokerName } from './brokers.ts';
import type { Dialect } from './dialect.ts';
import { mqtt } from './mqtt.ts';
import { stomp, stompQueue, stompQueueClient, stompReceipts } from './stomp.ts';

/** Who publishes to whom, and how much may be under way. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly dialect: Dialect;
  /** What brokers speak that do not know that one. */
  readonly instead?: Partial<Record<BrokerName, Dialect>>;
  /** At 1 every message counts: a loss fails the run. */
  readonly qos: 0 | 1;
  readonly publishers: number;
  readonly subscribers: number;
  /**
   * Messages of one publisher under way: sent, but not yet at all of its subscribers. Large enough for a broker to work
   * in batches, small enough that what waits for one subscriber stays below 1 MiB, where brokers begin to drop.
   */
  readonly window: number;
  /** Who takes part. */
  readonly brokers: readonly BrokerName[];
  readonly ratios: readonly Ratio[];
}

/** How many times `theirs` is to be reached by `ours`, where the project has set itself a target. */
export interface Ratio {
  readonly ours: BrokerName;
  readonly theirs: BrokerName;
  readonly target?: number;
}

const LIVE: readonly BrokerName[] = ['trimaran', 'mosquitto', 'nats', 'relay'];
const LOGGED: readonly BrokerName[] = ['trimaran', 'memory', 'jetstream', 'mosquitto', 'nats'];
const SIX_MOSQUITTOS: readonly Ratio[] = [
  { ours: 'trimaran', theirs: 'mosquitto', target: 6 },
  { ours: 'trimaran', theirs: 'nats' },
];

/** STOMP, where nothing may be lost, against RabbitMQ's. */
const DURABLE = {
  qos: 1,
  publishers: 4,
  subscribers: 4,
  window: 1000,
  brokers: ['trimaran', 'memory', 'jetstream', 'rabbitmq'],
  ratios: [
    { ours: 'trimaran', theirs: 'rabbitmq', target: 4 },
    { ours: 'memory', theirs: 'rabbitmq' },
    { ours: 'jetstream', theirs: 'rabbitmq', target: 1.5 },
  ],
} as const;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'pair',
    title: 'MQTT QoS 0, 4 to 4',
    dialect: mqtt,
    qos: 0,
    publishers: 4,
    subscribers: 4,
    window: 2000,
    brokers: LIVE,
    ratios: SIX_MOSQUITTOS,
  },
  {
    name: 'fanin',
    title: 'MQTT QoS 0, 20 to 1',
    dialect: mqtt,
    qos: 0,
    publishers: 20,
    subscribers: 1,
    window: 400,
    brokers: LIVE,
    ratios: SIX_MOSQUITTOS,
  },
  {
    name: 'fanout',
    title: 'MQTT QoS 0, 1 to 100',
    dialect: mqtt,
    qos: 0,
    publishers: 1,
    subscribers: 100,
    window: 2000,
    brokers: LIVE,
    ratios: SIX_MOSQUITTOS,
  },
  {
    name: 'qos1',
    title: 'MQTT QoS 1, 4 to 4',
    dialect: mqtt,
    qos: 1,
    publishers: 4,
    subscribers: 4,
    window: 1000,
    brokers: LOGGED,
    ratios: [
      // mosquitto writes nothing, the store syncs.
      { ours: 'trimaran', theirs: 'mosquitto', target: 4 },
      { ours: 'memory', theirs: 'mosquitto' },
      { ours: 'jetstream', theirs: 'nats', target: 1.3 },
    ],
  },
  {
    name: 'fanout1',
    title: 'MQTT QoS 1, 1 to 100',
    dialect: mqtt,
    qos: 1,
    publishers: 1,
    subscribers: 100,
    window: 500,
    brokers: LOGGED,
    ratios: [
      { ours: 'jetstream', theirs: 'nats', target: 3 },
      { ours: 'trimaran', theirs: 'mosquitto' },
    ],
  },
  {
    name: 'stomp',
    title: 'STOMP ack auto, 4 to 4 (mosquitto: MQTT QoS 0)',
    dialect: stomp,
    instead: { mosquitto: mqtt },
    qos: 0,
    publishers: 4,
    subscribers: 4,
    window: 2000,
    brokers: ['trimaran', 'mosquitto'],
    ratios: [{ ours: 'trimaran', theirs: 'mosquitto', target: 2.8 }],
  },
  {
    name: 'receipts',
    title: 'STOMP durable topic subscriptions, receipts, 4 to 4',
    dialect: stompReceipts,
    ...DURABLE,
  },
  {
    name: 'queue',
    title: 'STOMP durable queue, receipts, acks (client-individual), 4 to 4',
    dialect: stompQueue,
    ...DURABLE,
  },
  {
    name: 'queue-client',
    title: 'STOMP durable queue, receipts, acks (client), 4 to 4',
    dialect: stompQueueClient,
    ...DURABLE,
  },
];

/** Not a load: how much memory of the broker a connection takes that says nothing. */
export const IDLE = 'idle';
export const IDLE_CONNECTIONS = 10_000;

/** The publishers a subscriber listens to. */
export function sourcesOf({ publishers, subscribers }: Scenario, subscriber: number): readonly number[] {
  if (subscribers === publishers) return [subscriber];
  return Array.from({ length: publishers }, (_, publisher) => publisher);
}

/** What a subscriber subscribes to: one topic, or all of them by a wildcard. */
export function filterOf(scenario: Scenario, subscriber: number): string {
  const { dialect, name, publishers, subscribers } = scenario;
  if (subscribers === publishers) return dialect.topic(name, subscriber);
  return publishers === 1 ? dialect.topic(name, 0) : dialect.everyTopic(name);
}
