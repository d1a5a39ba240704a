/** Where a subscription begins in the log, and positions in it, as clients write them: the same text in every protocol. */

export type Start =
  /** With what is published from now on. */
  | { readonly from: 'new' }
  /** With the first message that is kept. */
  | { readonly from: 'first' }
  /** With the last `count` messages that match. */
  | { readonly from: 'last'; readonly count: number }
  /** With the first message taken in at `time` (milliseconds since 1970) or later. */
  | { readonly from: 'time'; readonly time: number }
  /** With this message, or the first one kept behind it. */
  | { readonly from: 'position'; readonly shard: number; readonly sequence: number };

export const START_FORMS =
  'new, first, last N, time T (milliseconds since 1970, or as 2026-11-21T12:00:00Z) or position P (as in a message)';

/** undefined when it is none of the forms. */
export function parseStart(text: string): Start | undefined {
  if (text === 'new' || text === 'first') return { from: text };
  const [, word, value = ''] = /^(last|time|position) (.+)$/.exec(text) ?? [];
  if (word === 'last') return /^[0-9]{1,9}$/.test(value) ? { from: 'last', count: Number(value) } : undefined;
  if (word === 'time') {
    const time = parseTime(value);
    return time === undefined ? undefined : { from: 'time', time };
  }
  const position = word === 'position' ? parsePosition(value) : undefined;
  return position && { from: 'position', ...position };
}

const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/;

function parseTime(text: string): number | undefined {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  // biome-ignore lint/style/noRestrictedGlobals: parsing reads no clock
  const time = ISO.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

const POSITION = /^([0-9]{1,9})-([0-9]{1,15})$/;

export function formatPosition(shard: number, sequence: number): string {
  return `${shard}-${sequence}`;
}

export function parsePosition(text: string): { readonly shard: number; readonly sequence: number } | undefined {
  const parts = POSITION.exec(text);
  return parts === null ? undefined : { shard: Number(parts[1]), sequence: Number(parts[2]) };
}
