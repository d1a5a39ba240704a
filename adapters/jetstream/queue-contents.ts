import { BrokerError } from '../../src/core/errors.ts';
import { type Answer, number, record } from './api.ts';
import type { Connection } from './connection.ts';
import type { DirectGet, Portion, Stored } from './direct-get.ts';
import { type Note, readBorn, readNote } from './queue-messages.ts';
import type { QueueNames } from './queue-names.ts';
import { BORN } from './queue-notes.ts';

/** Messages and bytes that are read to count them; of more, their payloads are taken to be like those. */
const SAMPLE = 500;
const SAMPLE_BYTES = 4 * 1024 * 1024;

/** What is in a queue when it is opened. */
export interface Contents {
  readonly messages: number;
  /** Of payloads; an estimate where there are more than some. */
  readonly bytes: number;
  /** Of messages in it, or of those that wait for their time. */
  readonly priorities: ReadonlySet<number>;
  /** The end of the stream, about then. */
  readonly last: number;
  readonly notes: Map<number, Note>;
  /** Empty for the first queue of this name. */
  readonly born: string;
}

export async function readContents(
  names: QueueNames,
  connection: Connection,
  direct: DirectGet,
  stream: string,
  replicated: boolean,
): Promise<Contents> {
  const sample = (subject: string): Promise<Portion> => sampled(direct, subject, replicated);
  const [info, base, below] = await Promise.all([
    connection.ask(`$JS.API.STREAM.INFO.${stream}`),
    sample(names.subject),
    sample(names.below),
  ]);
  const last = number(record(info.state).last_seq);
  const priorities = new Set<number>(base.messages.length > 0 ? [0] : []);
  const notes = new Map<number, Note>();
  let born = '';
  const read = (stored: Stored): void => {
    const { bytes, headerBytes, subject } = stored;
    const found = names.read(subject);
    if (found !== undefined && found.kind !== 'note') priorities.add(found.priority);
    if (found?.kind !== 'note') return;
    if (found.of === BORN) born = readBorn(bytes, headerBytes) ?? born;
    const note = readNote(bytes, headerBytes);
    if (note !== undefined) notes.set(Number(found.of), note);
  };
  const own = below.messages.filter(({ subject }) => names.read(subject)?.kind !== 'note');
  const samples = [...base.messages, ...own];
  const size = samples.reduce((sum, { bytes, headerBytes }) => sum + bytes.length - headerBytes, 0);
  let messages = base.messages.length + base.left + own.length;
  if (below.all) {
    for (const each of below.messages) read(each);
  } else {
    await everyNote(direct, names, read);
    for (let priority = 0; priority <= 9; priority++) {
      const later = await direct.portion(1, names.later(priority, '>'), 1, SAMPLE_BYTES);
      if (later.messages.length > 0) priorities.add(priority);
    }
    const counted = await count(names, connection, direct, stream);
    for (const priority of counted.priorities) priorities.add(priority);
    messages = counted.messages;
  }
  const bytes = samples.length === 0 ? 0 : Math.round((size / samples.length) * messages);
  return { messages, bytes, priorities, last, notes, born };
}

export interface Count {
  readonly messages: number;
  /** Of messages that do not wait for their time. */
  readonly priorities: readonly number[];
  /** The end of the stream then. */
  readonly last: number;
}

/** What the leader says is in a queue: another replica may not know yet what is removed. */
export async function count(
  names: QueueNames,
  connection: Connection,
  direct: DirectGet,
  stream: string,
): Promise<Count> {
  const below = async (filter: string): Promise<Answer> =>
    record((await connection.ask(`$JS.API.STREAM.INFO.${stream}`, { subjects_filter: filter })).state);
  const [base, others, later] = await Promise.all([
    below(names.subject),
    below(names.priorities),
    direct.portion(1, names.allLater, 1, SAMPLE_BYTES),
  ]);
  const priorities: number[] = [];
  let messages = later.messages.length + later.left;
  for (const [subject, found] of Object.entries({ ...record(base.subjects), ...record(others.subjects) })) {
    const read = names.read(subject);
    if (read?.kind !== 'lane') continue;
    priorities.push(read.priority);
    messages += number(found);
  }
  return { messages, priorities, last: number(base.last_seq) };
}

/** A replica that is behind may be asked: the leader knows whether there is more. */
async function sampled(direct: DirectGet, subject: string, replicated: boolean): Promise<Portion> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const portion = await direct.portion(1, subject, SAMPLE, SAMPLE_BYTES);
    const end = portion.messages[portion.messages.length - 1]?.sequence ?? 0;
    if (!replicated || !portion.all || !(await direct.more(end + 1, subject))) return portion;
  }
  throw new BrokerError('unavailable', 'a replica of the queues is behind');
}

async function everyNote(direct: DirectGet, names: QueueNames, read: (stored: Stored) => void): Promise<void> {
  for (let from = 1; ; ) {
    const { messages, all } = await direct.portion(from, names.notes, SAMPLE, SAMPLE_BYTES);
    for (const each of messages) read(each);
    const last = messages[messages.length - 1];
    if (all || last === undefined) return;
    from = last.sequence + 1;
  }
}
