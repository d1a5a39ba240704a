import { parseSelector, type Selector } from '../../core/selector.ts';
import { DURABLE_GROUP } from '../../core/topic.ts';
import type { GroupOptions } from '../../ports/queues.ts';
import type { GroupRecord } from './record.ts';

/** What a group is, as its first member says it: all members are to say the same. */
type GroupKind = Pick<GroupRecord, 'ordered' | 'selector'>;

export function kindOf({ ordered, selector = '' }: GroupOptions): GroupKind {
  return { ordered, selector };
}

/** How a group is another one than a member asks for, in words. */
export function differenceOf(name: string, is: GroupKind, asked: GroupKind): string | undefined {
  if (asked.ordered !== is.ordered) {
    const [order, not] = is.ordered ? ['key', 'none'] : ['none', 'key'];
    return `the order of ${titleOf(name)} is ${order}, not ${not}`;
  }
  if (asked.selector === is.selector) return undefined;
  return `the selector of ${titleOf(name)} is ${shown(is.selector)}, not ${shown(asked.selector)}`;
}

/** The name of a durable subscription is not what its client calls it. */
function titleOf(name: string): string {
  return name.startsWith(DURABLE_GROUP) ? 'the durable subscription' : `group ${name}`;
}

function shown(selector: string): string {
  return selector === '' ? 'none' : JSON.stringify(selector);
}

/** Its members' protocols have held the selector to the limits; no configuration has larger ones. */
const LARGEST = { selectorBytes: 65_535, selectorDepth: 256 };

/** Which messages a group is for; undefined: all. Throws a BrokerError. */
export function selectorOf({ selector }: GroupKind): Selector | undefined {
  return selector === '' ? undefined : parseSelector(selector, LARGEST);
}
