import { createHash } from 'node:crypto';
import { BrokerError } from '../../src/core/errors.ts';
import { fitsSubject, keyToken } from './subjects.ts';

/** Longest name that is read as it is in the name of a consumer, which is a name of a file. */
const READABLE = 180;

export type QueueSubject =
  | { readonly kind: 'lane' | 'later'; readonly priority: number }
  | { readonly kind: 'note'; readonly of: string };

/** What belongs to a queue in NATS. README.md lists it for applications of NATS. */
export class QueueNames {
  /** Of messages of priority 0; all others are below it. */
  readonly subject: string;
  readonly below: string;
  /** Of other priorities. */
  readonly priorities: string;
  /** Where messages wait for their time, and where it is noted what became of them: a subject each. */
  readonly allLater: string;
  readonly notes: string;
  readonly #consumer: string;

  constructor(prefix: string, name: string) {
    this.subject = `${prefix}.queue.${keyToken(name)}`;
    this.below = `${this.subject}.>`;
    this.priorities = `${this.subject}.*`;
    this.allLater = `${this.subject}.later.>`;
    this.notes = `${this.subject}.note.>`;
    if (!fitsSubject(this.later(0, '-'.repeat(32)))) {
      const longest = 'the name of the queue, with backbone.nats.prefix, is longer than NATS can carry';
      throw new BrokerError('fieldInvalid', longest);
    }
    const plain = name.length <= READABLE && /^[A-Za-z0-9_-]+$/.test(name);
    this.#consumer = plain ? `-${name}` : `=${createHash('sha256').update(name).digest('base64url')}`;
  }

  lane(priority: number): string {
    return priority === 0 ? this.subject : `${this.subject}.${priority}`;
  }

  /** `unique`: `>` for all. */
  later(priority: number, unique: string): string {
    return `${this.subject}.later.${priority}.${unique}`;
  }

  note(of: number | string): string {
    return `${this.subject}.note.${of}`;
  }

  consumer(priority: number): string {
    return `queue${priority === 0 ? '' : priority}${this.#consumer}`;
  }

  /** Undefined for what an application has put there that is none of ours. */
  read(subject: string): QueueSubject | undefined {
    if (subject === this.subject) return { kind: 'lane', priority: 0 };
    const [first = '', second = ''] = subject.slice(this.subject.length + 1).split('.');
    if (first === 'note') return { kind: 'note', of: second };
    if (first === 'later') return /^[0-9]$/.test(second) ? { kind: 'later', priority: Number(second) } : undefined;
    return /^[1-9]$/.test(first) ? { kind: 'lane', priority: Number(first) } : undefined;
  }
}
