import { createHash } from 'node:crypto';
import type { Clock } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/routing.ts';
import { type Connection, explain } from './connection.ts';
import { Push, type Pusher, type PushReceiver } from './pusher.ts';
import { bornLines, type Note, noteLines, noteMessage } from './queue-messages.ts';
import type { QueueNames } from './queue-names.ts';

/** Name of the note that says which of the queues of this name this is. */
export const BORN = 'born';
/** Notes made at once; of more messages, the next owner says that they may have been given. */
const MOST = 20_000;
/** Seconds that a note outlives its time; then it is forgotten, should no one have removed it. */
const KEPT = 7 * 24 * 3600;

export interface NotesHost {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pusher: Pusher;
  readonly stream: string;
  readonly dedupSeconds: number;
}

/**
 * What the server cannot know of a queue's messages: how often they were delivered, when that is not how often it gave them, and
 * when they are due again, should their owner end. Each is the last message of a subject of its own.
 */
export class Notes implements PushReceiver {
  readonly #name: string;
  readonly #names: QueueNames;
  readonly #host: NotesHost;
  readonly #notes: Map<number, Note>;
  #born: string;
  #pending = 0;
  #waiters: (() => void)[] = [];

  constructor(name: string, names: QueueNames, notes: Map<number, Note>, born: string, host: NotesHost) {
    this.#name = name;
    this.#names = names;
    this.#notes = notes;
    this.#born = born;
    this.#host = host;
  }

  of(id: number): Note | undefined {
    return this.#notes.get(id);
  }

  put(id: number, note: Note): void {
    this.#notes.set(id, note);
    const wait = Math.max(0, Math.ceil((note.dueAt - this.#host.clock.now()) / 1000));
    this.#push(this.#names.note(id), noteLines(note, wait + KEPT));
  }

  /** How often these were given to consumers, so that the next owner need not go by how often the server gave them. */
  putAll(messages: Iterable<{ readonly id: number; readonly deliveries: number }>): void {
    let count = 0;
    for (const { id, deliveries } of messages) {
      if (++count > MOST) return;
      this.put(id, { deliveries, dueAt: 0 });
    }
  }

  drop(id: number): void {
    if (!this.#notes.delete(id)) return;
    const { connection, logger, stream } = this.#host;
    connection
      .ask(`$JS.API.STREAM.PURGE.${stream}`, { filter: this.#names.note(id) })
      .catch((error: unknown) => logger.debug({ id, error: explain(error) }, 'A note of a message stays for a while'));
  }

  /** The queue is destroyed; ids of messages that the next one of this name gets are not those of this one. */
  async bear(): Promise<void> {
    this.#notes.clear();
    this.#born = Buffer.from(this.#host.clock.random(6)).toString('base64url');
    this.#push(this.#names.note(BORN), bornLines(this.#born, Math.max(1, this.#host.dedupSeconds)));
    await this.flushed();
  }

  /** Ids are those of one queue; the stream's are of all. */
  scoped(dedupId: string): string {
    return createHash('sha256').update(`${this.#born}\0${this.#name}\0${dedupId}`).digest('base64url');
  }

  flushed(): Promise<void> {
    if (this.#pending === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
    });
  }

  #push(subject: string, lines: string): void {
    this.#pending++;
    this.#host.pusher.push(new Push(noteMessage(), this, NO_ONE, 0, subject, lines, undefined));
  }

  stored(): void {
    this.#pending--;
    if (this.#pending === 0) for (const resolve of this.#waiters.splice(0)) resolve();
  }

  failed(_push: Push, error: Error): void {
    this.#host.logger.debug(
      { queue: this.#name, error: explain(error) },
      'How often a message was delivered is not noted',
    );
    this.stored();
  }
}

const NO_ONE = { appended: () => {}, refused: () => {} };
