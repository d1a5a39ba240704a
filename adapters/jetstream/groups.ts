import { createHash } from 'node:crypto';
import { createInbox, type Msg, type Subscription } from 'nats';
import type { Message } from '../../src/core/message.ts';
import type { GroupReceiver, GroupSource, GroupSources } from '../../src/ports/backbone.ts';
import type { Clock, Timer } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/routing.ts';
import { number } from './api.ts';
import { type Connection, explain } from './connection.ts';
import { readMessage } from './message.ts';
import { raw } from './raw.ts';
import { TopicSubjects, withoutCovered } from './subjects.ts';

/** Messages of one pull: what a node may hold that its members have no room for, for at most a moment. */
const PULL = 128;
const EXPIRES = 30_000;
/** Milliseconds after which the server gives a message to another node, unless it is told that it is being worked on. */
const ACK_WAIT = 20_000;
/** How often it is told; messages without a member for so long are given back. */
const PROGRESS = 5_000;
/** Milliseconds after which the server forgets a group that no node has members of. */
const FORGOTTEN = 7 * 24 * 3_600_000;
const AGAIN = 500;

/**
 * Groups as durable consumers of the log, one each, whatever the number of nodes and members: the server keeps the
 * group's place and gives each message to one node.
 */
export class JetStreamGroups implements GroupSources {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #stream: string;
  readonly #subjects: TopicSubjects;
  readonly #open = new Set<Source>();

  constructor(connection: Connection, clock: Clock, logger: Logger, stream: string, prefix: string) {
    this.#connection = connection;
    this.#clock = clock;
    this.#logger = logger;
    this.#stream = stream;
    this.#subjects = new TopicSubjects(`${prefix}.log`);
    connection.listen({
      up: () => {
        for (const each of this.#open) each.begin();
      },
      down: () => {
        for (const each of this.#open) each.pause();
      },
    });
  }

  open(name: string, filter: string, receiver: GroupReceiver): GroupSource {
    const source = new Source(`${name}/${filter}`, filter, receiver, {
      ...{ connection: this.#connection, clock: this.#clock, logger: this.#logger },
      ...{ stream: this.#stream, subjects: this.#subjects, closed: () => this.#open.delete(source) },
    });
    this.#open.add(source);
    source.begin();
    return source;
  }

  stop(): void {
    for (const each of this.#open) each.close(false);
  }
}

interface Context {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stream: string;
  readonly subjects: TopicSubjects;
  closed(): void;
}

/** A message that the server has given to this node; it is answered at `reply`. */
interface Given {
  readonly reply: string;
  readonly message: Message;
}

class Source implements GroupSource {
  readonly #share: string;
  readonly #filter: string;
  readonly #receiver: GroupReceiver;
  readonly #context: Context;
  /** Names of consumers are names of files: a digest, whole, so that no two groups share one. */
  readonly #consumer: string;
  readonly #out = new Map<number, Given>();
  /** Without a member yet. */
  readonly #held: Given[] = [];
  #lastDelivery = 0;
  #subscription: Subscription | undefined;
  #inbox = '';
  /** Of the pull under way. */
  #wanted = 0;
  #pulls = 0;
  #timer: Timer | undefined;
  #retry: Timer | undefined;
  #closed = false;
  #pumping = false;

  constructor(share: string, filter: string, receiver: GroupReceiver, context: Context) {
    this.#share = share;
    this.#filter = filter;
    this.#receiver = receiver;
    this.#context = context;
    this.#consumer = `share-${createHash('sha256').update(share).digest('base64url')}`;
    this.#progress();
  }

  /** Finds or makes the consumer, and pulls. */
  begin(): void {
    this.pause();
    this.#create().catch((error: unknown) => {
      if (this.#closed) return;
      this.#context.logger.warn({ share: this.#share, error: explain(error) }, 'A group could not begin yet');
      this.#retry = this.#context.clock.schedule(AGAIN, () => this.begin());
    });
  }

  pause(): void {
    this.#retry?.cancel();
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
    this.#wanted = 0;
  }

  async #create(): Promise<void> {
    const { connection, stream, subjects } = this.#context;
    if (!connection.up || this.#closed) return;
    const config = {
      durable_name: this.#consumer,
      description: `Shared subscription ${this.#share}`,
      deliver_policy: 'new',
      ack_policy: 'explicit',
      ack_wait: ACK_WAIT * 1_000_000,
      max_deliver: -1,
      max_ack_pending: 100_000,
      replay_policy: 'instant',
      inactive_threshold: FORGOTTEN * 1_000_000,
      filter_subjects: withoutCovered(subjects.filterSubjects(this.#filter)),
    };
    // Without `action` it is made if missing and left as it is where it is the same.
    await connection.ask(`$JS.API.CONSUMER.CREATE.${stream}.${this.#consumer}`, { stream_name: stream, config });
    if (this.#closed || this.#subscription !== undefined) return;
    this.#inbox = createInbox();
    this.#subscription = connection.subscribe(`${this.#inbox}.*`, (message) => this.#message(message));
    this.pump();
  }

  pump(): void {
    if (this.#pumping || this.#closed) return;
    this.#pumping = true;
    while (this.#held.length > 0 && this.#receiver.room() > 0) {
      const given = this.#held.shift();
      if (given !== undefined) this.#give(given);
    }
    this.#pumping = false;
    this.#pull();
  }

  #pull(): void {
    const { connection, stream } = this.#context;
    if (this.#subscription === undefined || !connection.up) return;
    if (this.#wanted > PULL / 4 || this.#held.length > 0 || this.#receiver.room() === 0) return;
    this.#wanted += PULL;
    const request = { batch: PULL, expires: EXPIRES * 1_000_000 };
    connection.nats.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${this.#consumer}`, JSON.stringify(request), {
      reply: `${this.#inbox}.${++this.#pulls}`,
    });
  }

  #message(message: Msg): void {
    const { reply } = message;
    if (reply === undefined || reply === '') {
      this.#status(message);
      return;
    }
    if (this.#wanted > 0) this.#wanted--;
    const { bytes, headerBytes } = raw(message);
    const numbers = reply.split('.').slice(reply.split('.').length <= 9 ? 4 : 6);
    const time = Math.floor(Number(numbers[3] ?? 0) / 1e6);
    const read = readMessage(this.#context.subjects, message.subject, bytes, headerBytes, time);
    if (read === undefined) {
      this.#answer(reply, '+TERM');
      return;
    }
    read.sequence = Number(numbers[1] ?? 0);
    this.#held.push({ reply, message: read });
    this.pump();
  }

  #status(message: Msg): void {
    const code = message.headers?.code ?? 0;
    if (code === 100) return;
    this.#wanted = 0;
    // 404, 408, 409 by its batch or its time: it goes on. Else the consumer is gone.
    const description = message.headers?.description ?? '';
    if (code === 404 || code === 408 || /batch completed|max/i.test(description)) this.#pull();
    else {
      this.pause();
      this.#retry = this.#context.clock.schedule(AGAIN, () => this.begin());
    }
  }

  #give(given: Given): void {
    const delivery = ++this.#lastDelivery;
    this.#out.set(delivery, given);
    this.#receiver.take(given.message, delivery);
  }

  settle(delivery: number): void {
    this.#finish(delivery, '+ACK');
    this.pump();
  }

  giveBack(delivery: number): void {
    this.#finish(delivery, '-NAK');
  }

  #finish(delivery: number, answer: '+ACK' | '-NAK'): void {
    const given = this.#out.get(delivery);
    if (given === undefined) return;
    this.#out.delete(delivery);
    this.#answer(given.reply, answer);
  }

  #answer(reply: string, answer: '+ACK' | '-NAK' | '+WPI' | '+TERM'): void {
    const { connection } = this.#context;
    if (connection.up) connection.nats.publish(reply, answer);
  }

  /** Says of what is with a member that it is being worked on, and gives back what no member has taken. */
  #progress(): void {
    this.#timer = this.#context.clock.schedule(PROGRESS, () => {
      for (const { reply } of this.#out.values()) this.#answer(reply, '+WPI');
      for (const { reply } of this.#held.splice(0)) this.#answer(reply, '-NAK');
      this.#pull();
      this.#progress();
    });
  }

  close(forget: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    for (const { reply } of this.#held.splice(0)) this.#answer(reply, '-NAK');
    for (const { reply } of this.#out.values()) this.#answer(reply, '-NAK');
    this.pause();
    this.#context.closed();
    if (forget) void this.#deleteUnused().catch(() => {});
  }

  /** Where no other node has members, and nothing is with one, the group is not kept. */
  async #deleteUnused(): Promise<void> {
    const { connection, stream } = this.#context;
    if (!connection.up) return;
    const info = await connection.ask(`$JS.API.CONSUMER.INFO.${stream}.${this.#consumer}`);
    if (number(info.num_waiting) > 0 || number(info.num_ack_pending) > 0) return;
    await connection.ask(`$JS.API.CONSUMER.DELETE.${stream}.${this.#consumer}`);
  }
}
