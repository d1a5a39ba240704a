import { parseStart, START_FORMS, type Start } from '../../src/core/start.ts';
import { nameFault } from '../../src/core/topic.ts';
import type { Limits } from '../../src/ports/limits.ts';
import { requirePush } from './activemq.ts';
import type { AckMode } from './feed.ts';
import type { Frame } from './frame.ts';
import { Refusal, shown } from './refusal.ts';
import { findFirst, readWhole, wrong } from './values.ts';
import { NAMES } from './words.ts';

/** Headers of SUBSCRIBE, each by itself. They throw a Refusal for what is no value of theirs. */

const COMMAND = 'SUBSCRIBE';

/** The names are those of MQTT, where group and filter are one: `$share/NAME/FILTER`. */
export function groupFault(group: string, filter: string, limits: Limits): string | undefined {
  if (group === '') return 'is empty; the name of a group is expected';
  if (/[/+#]/.test(group)) return 'has one of / + # in it, which are in no name of a group';
  const fault = nameFault(`$share/${group}/${filter}`, limits);
  return fault === undefined ? undefined : `with its destination ${fault}`;
}

export function readOrder(frame: Frame): boolean {
  const found = findFirst(frame, NAMES.groupOrder);
  if (found !== undefined && found.text !== 'key') throw wrong(found, COMMAND, 'key');
  return found !== undefined;
}

export function readStart(frame: Frame): Start | undefined {
  const found = findFirst(frame, NAMES.start);
  if (found === undefined) return undefined;
  const start = parseStart(found.text);
  if (start === undefined) throw wrong(found, COMMAND, START_FORMS);
  return start;
}

export function readAck(text: string | undefined): AckMode {
  if (text === undefined || text === 'auto') return 'auto';
  if (text === 'client' || text === 'client-individual') return text;
  throw new Refusal(
    'protocol',
    `the header ack ${shown(text)} of SUBSCRIBE is not known`,
    'auto, client or client-individual is expected.',
  );
}

/** 0 asks for as many as can be had. */
export function readPrefetch(frame: Frame, limits: Limits): number {
  const range = { min: 0, max: 999_999_999, unit: 'messages; 0: as many as the server allows' };
  const asked = readWhole(frame, NAMES.prefetch, COMMAND, range);
  if (asked === undefined) return limits.stompPrefetch;
  if (asked === 0) requirePush(frame);
  const most = Math.max(limits.stompPrefetch, limits.outboxMessages);
  return asked === 0 ? most : Math.min(asked, most);
}
