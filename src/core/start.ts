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

const ISO = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?(?:Z|([+-])(\d{2}):(\d{2}))$/;
const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function parseTime(text: string): number | undefined {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  const parts = ISO.exec(text);
  if (parts === null) return undefined;
  const number = (index: number): number => Number(parts[index] ?? 0);
  const [year, month, day] = [number(1), number(2), number(3)];
  const [hour, minute, second] = [number(4), number(5), number(6)];
  if (day < 1 || day > (DAYS[month - 1] ?? 0) || hour > 23 || minute > 59 || second > 59) return undefined;
  if (month === 2 && day === 29 && (year % 4 !== 0 || (year % 100 === 0 && year % 400 !== 0))) return undefined;
  const offset = (number(9) * 60 + number(10)) * (parts[8] === '-' ? -1 : 1);
  const minutes = (daysBefore(year, month, day) * 24 + hour) * 60 + minute - offset;
  return (minutes * 60 + second) * 1000 + Number((parts[7] ?? '').padEnd(3, '0'));
}

/** From 1970-01-01 to a day of the Gregorian calendar. Years begin in March here, so that a leap day is a year's last. */
function daysBefore(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1;
  const leaps = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return shifted * 365 + leaps + dayOfYear - 719_468;
}

const POSITION = /^([0-9]{1,9})-([0-9]{1,15})$/;

export function formatPosition(shard: number, sequence: number): string {
  return `${shard}-${sequence}`;
}

export function parsePosition(text: string): { readonly shard: number; readonly sequence: number } | undefined {
  const parts = POSITION.exec(text);
  return parts === null ? undefined : { shard: Number(parts[1]), sequence: Number(parts[2]) };
}
