import { hasWildcard, mqttFilterFault } from '../../src/core/filter.ts';
import { exchangeFault, isExchange, QUEUE_PREFIX, REPLY_PREFIX, type TopicLimits } from '../../src/core/topic.ts';

/** What a filter in SUBSCRIBE asks for: messages of topics, a share of them (MQTT 5.0, 4.8.2), or those of a queue. */
export type FilterKind = 'topic' | 'group' | 'queue';

const SHARE_PREFIX = '$share/';

export function kindOf(filter: string): FilterKind {
  if (filter.charCodeAt(0) !== 0x24) return 'topic';
  if (filter.startsWith(SHARE_PREFIX)) return 'group';
  return filter.startsWith(QUEUE_PREFIX) ? 'queue' : 'topic';
}

export interface SharedFilter {
  readonly name: string;
  readonly filter: string;
}

/** The parts of `$share/NAME/FILTER`, which `filterFault` has found to be there. */
export function parseShared(filter: string): SharedFilter {
  const slash = filter.indexOf('/', SHARE_PREFIX.length);
  return { name: filter.slice(SHARE_PREFIX.length, slash), filter: filter.slice(slash + 1) };
}

/** NAME of `$queue/NAME`. */
export function queueName(filter: string): string {
  return filter.slice(QUEUE_PREFIX.length);
}

/** What is wrong with it, in words; undefined when nothing is. */
export function filterFault(filter: string, limits: TopicLimits): string | undefined {
  switch (kindOf(filter)) {
    case 'group':
      return sharedFault(filter, limits);
    case 'queue':
      if (filter === QUEUE_PREFIX) return 'has no name of a queue behind $queue/';
      return hasWildcard(filter)
        ? 'has a wildcard in the name of a queue; queues are consumed one by one'
        : mqttFilterFault(filter, limits);
    case 'topic':
      return mqttFilterFault(filter, limits) ?? exchangeFault(filter);
  }
}

function sharedFault(filter: string, limits: TopicLimits): string | undefined {
  const slash = filter.indexOf('/', SHARE_PREFIX.length);
  const name = filter.slice(SHARE_PREFIX.length, slash === -1 ? undefined : slash);
  if (name === '' || /[+#]/.test(name)) return 'has no share name, or one with + or # [MQTT-4.8.2-1]';
  if (slash === -1 || slash === filter.length - 1) return 'has no filter behind the share name [MQTT-4.8.2-2]';
  const inner = filter.slice(slash + 1);
  if (inner.startsWith(QUEUE_PREFIX)) return 'shares a queue, whose consumers share it as it is: $queue/NAME alone';
  return inner.startsWith('$') && !inner.startsWith('$SYS') && !isExchange(inner)
    ? "shares a filter that begins with $, which is the server's own"
    : mqttFilterFault(inner, limits);
}

/** Whether it reaches for answers; those of `own`, and below it, are the client's, all others are not. */
export function isForeignReply(filter: string, own: string): boolean {
  if (!filter.startsWith(REPLY_PREFIX)) return false;
  return own === '' || (filter !== own && !filter.startsWith(`${own}/`));
}
