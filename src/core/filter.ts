import { nameFault, type TopicLimits } from './topic.ts';

/**
 * Topic filters. The internal form is MQTT's, with one extension that STOMP needs: `#` may stand at any level, for
 * zero or more levels. `+` stands for exactly one level.
 */

/** `#` other than at the end multiplies the ways a topic can match; more than this many help no one. */
const MAX_INNER_HASHES = 4;

/** Why `filter` is not one in the internal form; undefined when it is one. */
export function filterFault(filter: string, limits: TopicLimits): string | undefined {
  const fault = nameFault(filter, limits);
  if (fault !== undefined) return fault;
  let inner = 0;
  const words = filter.split('/');
  for (const [i, word] of words.entries()) {
    if (word.length > 1 && (word.includes('+') || word.includes('#'))) {
      return 'has a wildcard beside other characters in one level; + and # stand alone [MQTT-4.7.1-2] [MQTT-4.7.1-3]';
    }
    if (word === '#' && i < words.length - 1) {
      if (words[i + 1] === '#') return 'has # twice in a row; one already stands for any number of levels';
      inner++;
    }
  }
  if (inner > MAX_INNER_HASHES) return `has more than ${MAX_INNER_HASHES} multi-level wildcards before its last level`;
  return undefined;
}

/** The same for MQTT and JSON, where `#` may only be the last level. */
export function mqttFilterFault(filter: string, limits: TopicLimits): string | undefined {
  const fault = filterFault(filter, limits);
  if (fault !== undefined) return fault;
  const hash = filter.indexOf('#');
  if (hash !== -1 && hash !== filter.length - 1) return 'has # before its last level [MQTT-4.7.1-2]';
  return undefined;
}

export function hasWildcard(filter: string): boolean {
  return filter.includes('+') || filter.includes('#');
}

/** Whether one filter matches one topic: the definition that the tree is tested against. */
export function matches(filter: string, topic: string): boolean {
  // [MQTT-4.7.2-1]: a leading wildcard does not reach topics that begin with $.
  if (topic.startsWith('$') && (filter.startsWith('+') || filter.startsWith('#'))) return false;
  return matchLevels(filter.split('/'), topic.split('/'));
}

/**
 * What does not fit behind a `#` is tried again one level further on, behind the last `#` alone: what one before it took can stay so.
 * With all of them to be tried, a filter of many would take time without end.
 */
function matchLevels(filter: readonly string[], topic: readonly string[]): boolean {
  let f = 0;
  let t = 0;
  /** The place behind the last `#`, and the level of the topic from which that is tried. */
  let behind = -1;
  let from = 0;
  while (t < topic.length) {
    const word = filter[f];
    if (word === '#') {
      behind = ++f;
      from = t;
    } else if (word === '+' || word === topic[t]) {
      f++;
      t++;
    } else if (behind === -1) {
      return false;
    } else {
      f = behind;
      t = ++from;
    }
  }
  while (filter[f] === '#') f++;
  return f === filter.length;
}
