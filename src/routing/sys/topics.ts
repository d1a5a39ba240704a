import type { Counters } from '../../core/counters.ts';
import { LoadAverages, SPANS } from './load.ts';

/** The topics by which a node tells of itself, in the form that mosquitto(8) gave them. README has them as a table. */

const PREFIX = '$SYS/broker/';

/** What there is to read beside the counters. */
export interface SysReadings {
  readonly counters: Counters;
  readonly version: string;
  /** Since the start. */
  readonly seconds: number;
  /** In use now, and the most there was at any update. */
  readonly heapBytes: number;
  readonly heapMaximumBytes: number;
  /** Of clients of this node, to topics; and members of groups. */
  readonly subscriptions: number;
  readonly sharedSubscriptions: number;
  readonly retained: number;
  /** Sessions kept without a connection; undefined where the nodes of a cluster have them in common, and none can say. */
  readonly away: number | undefined;
}

export type Unit = 'text' | 'seconds' | 'bytes' | 'clients' | 'messages' | 'packets' | 'subscriptions' | 'per minute';

export interface SysTopic {
  readonly topic: string;
  readonly unit: Unit;
  /** undefined: there is no true value here. */
  read(readings: SysReadings): number | string | undefined;
}

/** What is averaged, by the name under `load/`. */
const LOADS: Readonly<Record<string, (counters: Counters) => number>> = {
  'messages/received': (counters) => counters.packetsReceived,
  'messages/sent': (counters) => counters.packetsSent,
  'publish/received': (counters) => counters.received,
  'publish/sent': (counters) => counters.delivered,
  'publish/dropped': (counters) => counters.droppedForRoom,
  'bytes/received': (counters) => counters.bytesReceived,
  'bytes/sent': (counters) => counters.bytesSent,
  sockets: (counters) => counters.connectionsTotal,
  connections: (counters) => counters.logins,
};

const PLAIN: readonly (readonly [name: string, unit: Unit, read: SysTopic['read']])[] = [
  ['version', 'text', ({ version }) => `trimaran version ${version}`],
  ['uptime', 'seconds', ({ seconds }) => Math.floor(seconds)],
  ['clients/total', 'clients', ({ counters, away }) => (away === undefined ? undefined : counters.clients + away)],
  ['clients/connected', 'clients', ({ counters }) => counters.clients],
  ['clients/active', 'clients', ({ counters }) => counters.clients],
  ['clients/disconnected', 'clients', ({ away }) => away],
  ['clients/inactive', 'clients', ({ away }) => away],
  ['clients/expired', 'clients', ({ counters }) => counters.sessionsExpired],
  ['clients/maximum', 'clients', ({ counters }) => counters.clientsMaximum],
  ['messages/received', 'packets', ({ counters }) => counters.packetsReceived],
  ['messages/sent', 'packets', ({ counters }) => counters.packetsSent],
  ['publish/messages/received', 'messages', ({ counters }) => counters.received],
  ['publish/messages/sent', 'messages', ({ counters }) => counters.delivered],
  ['publish/messages/dropped', 'messages', ({ counters }) => counters.droppedForRoom],
  ['publish/bytes/received', 'bytes', ({ counters }) => counters.receivedBytes],
  ['publish/bytes/sent', 'bytes', ({ counters }) => counters.deliveredBytes],
  ['bytes/received', 'bytes', ({ counters }) => counters.bytesReceived],
  ['bytes/sent', 'bytes', ({ counters }) => counters.bytesSent],
  ['subscriptions/count', 'subscriptions', ({ subscriptions }) => subscriptions],
  ['shared_subscriptions/count', 'subscriptions', ({ sharedSubscriptions }) => sharedSubscriptions],
  ['retained messages/count', 'messages', ({ retained }) => retained],
  ['heap/current', 'bytes', ({ heapBytes }) => heapBytes],
  ['heap/maximum', 'bytes', ({ heapMaximumBytes }) => heapMaximumBytes],
];

/** The topics of one node, and what its averages are fed with. */
export class SysTable {
  readonly topics: readonly SysTopic[];
  readonly #loads = Object.entries(LOADS).map(([name, total]) => ({ name, total, averages: new LoadAverages() }));

  constructor() {
    const plain = PLAIN.map(([name, unit, read]): SysTopic => ({ topic: PREFIX + name, unit, read }));
    const loads = this.#loads.flatMap(({ name, averages }) =>
      SPANS.map((span): SysTopic => {
        const topic = `${PREFIX}load/${name}/${span}min`;
        // Two digits are shown: what does not change them is no change.
        return { topic, unit: 'per minute', read: () => Math.round(averages.mean(span) * 100) / 100 };
      }),
    );
    this.topics = [...plain, ...loads];
  }

  /** `seconds`: since the last time, more than 0. */
  average(counters: Counters, seconds: number): void {
    for (const { total, averages } of this.#loads) averages.update(total(counters), seconds);
  }
}

/** A value as mosquitto writes it. */
export function textOf(value: number | string, unit: Unit): string {
  if (typeof value === 'string') return value;
  if (unit === 'seconds') return `${value} seconds`;
  return unit === 'per minute' ? value.toFixed(2) : String(value);
}
