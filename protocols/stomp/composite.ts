import { COMMA } from './names.ts';
import { Refusal, shown } from './refusal.ts';

/**
 * Several destinations in one, with commas between them, as in ActiveMQ: `/queue/a,/topic/b`. Also in its other forms:
 * `/queue/a,b` (what has no beginning is of the first one's kind) and `/queue/a,topic://b`.
 */

const TOPIC = '/topic/';
const QUALIFIED = /^((?:temp-)?(?:queue|topic)):\/\/(.+)$/su;

/** Each by itself, in a form that stands alone, in order and without repetitions. Throws a Refusal. */
export function splitDestinations(destination: string, most: number): readonly string[] {
  const parts = destination.split(COMMA, most + 1).map((part) => part.trim());
  if (parts.length > most) {
    const detail = `the header destination ${shown(destination)} names more than ${most} destinations (limits.compositeDestinations)`;
    throw new Refusal('quota', detail, 'Send more frames with fewer of them.');
  }
  const kind = parts[0]?.startsWith(TOPIC) ? TOPIC : '';
  return [...new Set(parts.map((part) => whole(part, kind, destination)))];
}

function whole(part: string, kind: string, destination: string): string {
  if (part === '') {
    const detail = `the header destination ${shown(destination)} has a comma with no destination on one side of it`;
    throw new Refusal('topicInvalid', detail, 'Leave the comma out; as a character it is written %2C.');
  }
  const [, scheme, name] = QUALIFIED.exec(part) ?? [];
  if (scheme !== undefined) return `/${scheme}/${name}`;
  // By itself a name is a queue's.
  return part.startsWith('/') || kind === '' ? part : kind + part;
}
