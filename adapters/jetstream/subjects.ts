/**
 * Topics and keys as NATS subjects. A level of a topic is a token. Letters, digits, `-` and `_` stand for themselves;
 * every other byte of UTF-8 is `%` and two hexadecimal digits; an empty level is `%` alone. So every topic has one
 * subject and every such subject one topic, and none of what NATS gives a meaning to (`.`, `*`, `>`, space, `$`) comes
 * from a topic.
 */

/** nats-server ends connections whose protocol line is longer than 4,096 bytes: the subject, a reply and some numbers. */
const MAX_SUBJECT_BYTES = 3_600;
/** Subjects and topics remembered, each way; past it all are forgotten. */
const REMEMBERED = 8192;

const PLAIN = new Uint8Array(128);
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
  PLAIN[character.charCodeAt(0)] = 1;
}
const HEX = Array.from({ length: 256 }, (_, byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`);
const EMPTY = '%';
const PERCENT = 0x25;

/** One level, or a key without levels. */
function tokenOf(text: string): string {
  if (text === '') return EMPTY;
  let plain = true;
  for (let i = 0; i < text.length && plain; i++) plain = PLAIN[text.charCodeAt(i)] === 1;
  if (plain) return text;
  let token = '';
  for (const byte of Buffer.from(text)) token += PLAIN[byte] === 1 ? String.fromCharCode(byte) : HEX[byte];
  return token;
}

/** Undefined for a token that no text has. */
function textOf(token: string): string | undefined {
  if (token === EMPTY) return '';
  if (!token.includes('%')) return tokenOf(token) === token ? token : undefined;
  const bytes: number[] = [];
  for (let i = 0; i < token.length; i++) {
    const escaped = token.charCodeAt(i) === PERCENT;
    bytes.push(escaped ? Number.parseInt(token.slice(i + 1, i + 3), 16) : token.charCodeAt(i));
    if (escaped) i += 2;
  }
  const text = Buffer.from(bytes).toString();
  // What is written in another way, or is no UTF-8, does not come back the same.
  return tokenOf(text) === token ? text : undefined;
}

/** Keys may have 2 KiB: escaped they could be longer than a subject may be, and are written more densely then. */
const DENSE = '=';

export function keyToken(key: string): string {
  const token = tokenOf(key);
  return token.length <= 2_800 ? token : DENSE + Buffer.from(key).toString('base64url');
}

export function keyOf(token: string): string | undefined {
  return token.startsWith(DENSE) ? Buffer.from(token.slice(1), 'base64url').toString() : textOf(token);
}

export function fitsSubject(subject: string): boolean {
  return subject.length <= MAX_SUBJECT_BYTES;
}

/** The subjects of a prefix such as `trimaran.log`. */
export class TopicSubjects {
  readonly #start: string;
  readonly #subjects = new Map<string, string>();
  readonly #topics = new Map<string, string>();

  constructor(start: string) {
    this.#start = `${start}.`;
  }

  /** Undefined when the topic is too long for NATS. */
  subjectOf(topic: string): string | undefined {
    const known = this.#subjects.get(topic);
    if (known !== undefined) return known;
    const subject = this.#start + topic.split('/').map(tokenOf).join('.');
    if (subject.length > MAX_SUBJECT_BYTES) return undefined;
    if (this.#subjects.size >= REMEMBERED) this.#subjects.clear();
    this.#subjects.set(topic, subject);
    return subject;
  }

  /** The topic of a subject; undefined for a subject that is no topic's: a native application wrote it otherwise. */
  topicOf(subject: string): string | undefined {
    const known = this.#topics.get(subject);
    if (known !== undefined) return known;
    if (!subject.startsWith(this.#start)) return undefined;
    const levels: string[] = [];
    for (const token of subject.slice(this.#start.length).split('.')) {
      const level = textOf(token);
      if (level === undefined || /[/+#\0]/.test(level)) return undefined;
      levels.push(level);
    }
    const topic = levels.join('/');
    if (topic === '') return undefined;
    if (this.#topics.size >= REMEMBERED) this.#topics.clear();
    this.#topics.set(subject, topic);
    return topic;
  }

  /**
   * Subjects that together have every topic the filter matches, and maybe more: `+` is `*`, a last `#` is the level
   * above it and all below, and at an inner `#` the rest is cut off.
   */
  filterSubjects(filter: string): readonly string[] {
    const tokens: string[] = [];
    const levels = filter.split('/');
    const hash = levels.indexOf('#');
    for (const level of hash === -1 ? levels : levels.slice(0, hash)) tokens.push(level === '+' ? '*' : tokenOf(level));
    const parent = this.#start + tokens.join('.');
    if (parent.length > MAX_SUBJECT_BYTES) return [];
    if (hash === -1) return [parent];
    if (hash === 0) return [`${this.#start}>`];
    // `a/#/b` matches `a/b`, but not `a`.
    return hash === levels.length - 1 ? [parent, `${parent}.>`] : [`${parent}.>`];
  }
}

/** Whether `pattern`, with `*` and `>`, takes in every subject that `subject`, which may have them too, does. */
export function covers(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.');
  const tokens = subject.split('.');
  for (const [i, token] of wanted.entries()) {
    if (token === '>') return tokens.length > i;
    const other = tokens[i];
    if (other === undefined || other === '>') return false;
    if (token !== '*' && token !== other) return false;
  }
  return tokens.length === wanted.length;
}

/** Without those that others of them cover. */
export function withoutCovered(subjects: readonly string[]): string[] {
  const distinct = [...new Set(subjects)];
  return distinct.filter((each) => !distinct.some((other) => other !== each && covers(other, each)));
}
