import { mqttFilterFault } from '../../src/core/filter.ts';
import type { Message } from '../../src/core/message.ts';
import type { TopicLimits } from '../../src/core/topic.ts';
import type { GroupMember, Groups, Membership } from '../../src/ports/queues.ts';
import type { Sent } from './inflight.ts';
import type { SubscriptionOptions } from './session-state.ts';

/** Shared subscriptions (MQTT 5.0, 4.8.2): `$share/NAME/FILTER`. */

const PREFIX = '$share/';

export interface SharedFilter {
  readonly name: string;
  readonly filter: string;
}

export function isShared(filter: string): boolean {
  return filter.startsWith(PREFIX);
}

/** Its parts, which `sharedFault` has found to be there. */
export function parseShared(filter: string): SharedFilter {
  const slash = filter.indexOf('/', PREFIX.length);
  return { name: filter.slice(PREFIX.length, slash), filter: filter.slice(slash + 1) };
}

/** What is wrong with it, in words; undefined when nothing is. */
export function sharedFault(filter: string, limits: TopicLimits): string | undefined {
  const slash = filter.indexOf('/', PREFIX.length);
  const name = filter.slice(PREFIX.length, slash === -1 ? undefined : slash);
  if (name === '' || /[+#]/.test(name)) return 'has no share name, or one with + or # [MQTT-4.8.2-1]';
  if (slash === -1 || slash === filter.length - 1) return 'has no filter behind the share name [MQTT-4.8.2-2]';
  const inner = filter.slice(slash + 1);
  return inner.startsWith('$') && !inner.startsWith('$SYS')
    ? "shares a filter that begins with $, which is the server's own"
    : mqttFilterFault(inner, limits);
}

/** A message that a group gave to a session. */
export interface Share {
  readonly membership: Membership;
  readonly delivery: number;
}

/** The session, as far as its shared subscriptions must reach it. */
export interface Taker {
  ready(): boolean;
  takeShared(message: Message, share: Share, options: SubscriptionOptions): void;
  takeLive(message: Message, options: SubscriptionOptions): boolean;
}

interface Shared {
  options: SubscriptionOptions;
  readonly membership: Membership;
}

/** Those of one session, by their filters as the client wrote them. */
export class SharedSubscriptions {
  readonly #groups: Groups;
  readonly #taker: Taker;
  /** Seconds a group is kept for this session's sake. */
  readonly #keptFor: number;
  readonly #shared = new Map<string, Shared>();

  constructor(groups: Groups, taker: Taker, keptFor: number) {
    this.#groups = groups;
    this.#taker = taker;
    this.#keptFor = keptFor;
  }

  get size(): number {
    return this.#shared.size;
  }

  has(filter: string): boolean {
    return this.#shared.has(filter);
  }

  *options(): Generator<SubscriptionOptions> {
    for (const { options } of this.#shared.values()) yield options;
  }

  /** True when there was none with this filter. */
  add(options: SubscriptionOptions): boolean {
    const previous = this.#shared.get(options.filter);
    if (previous !== undefined) {
      previous.options = options;
      return false;
    }
    const { name, filter } = parseShared(options.filter);
    const current = (): SubscriptionOptions => this.#shared.get(options.filter)?.options ?? options;
    const member: GroupMember = {
      ready: () => this.#taker.ready(),
      take: (message, { number }) => this.#taker.takeShared(message, { membership, delivery: number }, current()),
      ended: () => {},
      takeLive: (message) => this.#taker.takeLive(message, current()),
    };
    const membership = this.#groups.join(name, filter, member, {
      clientId: '',
      prefetch: 256,
      keptFor: this.#keptFor,
      ordered: false,
      start: { from: 'new' },
    });
    this.#shared.set(options.filter, { options, membership });
    return true;
  }

  /** What is with the client is completed with it, so that nobody else gets it. */
  remove(filter: string, inflight: Iterable<Sent>): boolean {
    const membership = this.#shared.get(filter)?.membership;
    if (membership === undefined) return false;
    this.#shared.delete(filter);
    for (const { share } of inflight) if (share?.membership === membership) membership.settle(share.delivery, 'accept');
    membership.leave(true);
    return true;
  }

  pump(): void {
    for (const { membership } of this.#shared.values()) membership.pump();
  }

  /**
   * The connection is gone: QoS 1 messages go to others, QoS 2 ones must not [MQTT-4.8.2-4] [MQTT-4.8.2-5]. `forget`: the
   * session ends.
   */
  leave(inflight: Iterable<Sent>, forget: boolean): void {
    for (const { share, qos } of inflight) {
      if (qos === 1) share?.membership.settle(share.delivery, 'requeue');
      else share?.membership.settle(share.delivery, 'accept');
    }
    // What they are is still to be written.
    for (const { membership } of this.#shared.values()) membership.leave(forget);
  }
}
