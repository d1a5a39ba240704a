import type { Msg, Subscription } from 'nats';
import type { Message } from '../../src/core/message.ts';
import type { BackboneReceiver, Live } from '../../src/ports/backbone.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { EncodedHeaders } from './api.ts';
import type { Connection } from './connection.ts';
import { headerText, isServed, servedLine } from './headers.ts';
import { readMessage } from './message.ts';
import type { JetStreamOptions } from './options.ts';
import { raw } from './raw.ts';
import { inboxOf, isNativeReply, isUnheard, replyOf, withReply } from './replies.ts';
import { covers, TopicSubjects, withoutCovered } from './subjects.ts';

/** Bytes after which it is asked whether the server has taken what was sent. */
const MARK = 256 * 1024;
/** Topics whose designated subscription is remembered; past it all are forgotten. */
const REMEMBERED = 8192;

interface Interest {
  readonly subscription: Subscription;
  filters: number;
}

/** Messages that are not kept, by NATS's own publish and subscribe. What comes while NATS is away is lost. */
export class JetStreamLive implements Live {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #subjects: TopicSubjects;
  readonly #limit: number;
  readonly #headers = new EncodedHeaders(new Uint8Array(0));
  /** By subject, in the order of subscribing. */
  readonly #interests = new Map<string, Interest>();
  readonly #shared = new Map<string, { readonly filter: string; subscriptions: Subscription[] }>();
  readonly #wanted = new Map<string, number>();
  readonly #designated = new Map<string, string>();
  #receiver: BackboneReceiver | undefined;
  /** Bytes sent, and how many of them the server has. */
  #sent = 0;
  #taken = 0;
  #asking = false;
  #losses = 0;

  constructor(options: JetStreamOptions, connection: Connection, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
    this.#limit = options.pendingBytes / 2;
    this.#subjects = new TopicSubjects(`${options.prefix}.live`);
  }

  start(receiver: BackboneReceiver): void {
    this.#receiver = receiver;
    for (const [subject, filters] of this.#wanted) this.#subscribe(subject, filters);
    for (const share of this.#shared.keys()) this.#subscribeShared(share);
  }

  stop(): void {
    for (const { subscription } of this.#interests.values()) subscription.unsubscribe();
    this.#interests.clear();
    for (const { subscriptions } of this.#shared.values()) for (const each of subscriptions) each.unsubscribe();
    this.#shared.clear();
    this.#receiver = undefined;
  }

  publish(message: Message, served: readonly string[]): boolean {
    const connection = this.#connection;
    const native = isNativeReply(message.topic);
    const subject = native ? inboxOf(message.topic) : this.#subjects.subjectOf(message.topic);
    if (!connection.up || subject === undefined) return !native;
    const reply = native ? '' : replyOf(message, subject, this.#subjects);
    if (this.#losses !== connection.losses) {
      this.#losses = connection.losses;
      this.#taken = this.#sent;
    }
    const block = Buffer.from(headerText(message, '-', servedLine(served)), 'latin1');
    const bytes = message.size + block.length;
    // A server that reads no more, or a message that is too large for it: at most once allows to drop.
    if (bytes > connection.maxPayload || this.#sent - this.#taken + bytes > this.#limit) return true;
    this.#headers.block = block;
    // The client keeps a reference to what it is given until it is written; the caller's bytes are lent.
    const options = reply === '' ? { headers: this.#headers } : { headers: this.#headers, reply };
    connection.nats.publish(subject, new Uint8Array(message.payload()), options);
    this.#sent += bytes;
    if (this.#sent - this.#taken >= MARK && !this.#asking) void this.#ask();
    return true;
  }

  async #ask(): Promise<void> {
    const { losses } = this.#connection;
    const sent = this.#sent;
    this.#asking = true;
    try {
      await this.#connection.nats.flush();
      if (losses === this.#connection.losses) this.#taken = Math.max(this.#taken, sent);
    } catch {
      // The connection was lost, and with it what was under way.
    }
    this.#asking = false;
  }

  interest(filter: string, wanted: boolean, share?: string): void {
    if (share !== undefined) {
      this.#interestShared(filter, wanted, share);
      return;
    }
    for (const subject of this.#subjects.filterSubjects(filter)) {
      const count = (this.#wanted.get(subject) ?? 0) + (wanted ? 1 : -1);
      if (count > 0) this.#wanted.set(subject, count);
      else this.#wanted.delete(subject);
      if (this.#receiver === undefined) continue;
      const interest = this.#interests.get(subject);
      if (count > 0 && interest !== undefined) interest.filters = count;
      else if (count > 0) this.#subscribe(subject, count);
      else if (interest !== undefined) {
        interest.subscription.unsubscribe();
        this.#interests.delete(subject);
        this.#designated.clear();
      }
    }
  }

  /** One node of those that have members: NATS chooses, by a queue group. */
  #interestShared(filter: string, wanted: boolean, share: string): void {
    const shared = this.#shared.get(share);
    if (!wanted) {
      for (const subscription of shared?.subscriptions ?? []) subscription.unsubscribe();
      this.#shared.delete(share);
    } else if (shared === undefined) {
      this.#shared.set(share, { filter, subscriptions: [] });
      this.#subscribeShared(share);
    }
  }

  #subscribeShared(share: string): void {
    const shared = this.#shared.get(share);
    if (shared === undefined || this.#receiver === undefined) return;
    const queue = Buffer.from(share).toString('base64url');
    shared.subscriptions = withoutCovered(this.#subjects.filterSubjects(shared.filter)).map((subject) =>
      this.#connection.subscribe(
        subject,
        (message) => {
          if (isUnheard(message) || isServed(raw(message), share)) return;
          const read = this.#read(message);
          if (read !== undefined) this.#receiver?.liveShared(read, share);
        },
        queue,
      ),
    );
  }

  #subscribe(subject: string, filters: number): void {
    const subscription = this.#connection.subscribe(subject, (message) => this.#message(subject, message));
    this.#interests.set(subject, { subscription, filters });
    this.#designated.clear();
  }

  /** The server sends a message once for each subscription that it matches; one of them is the one that counts. */
  #message(subscribed: string, message: Msg): void {
    const { subject } = message;
    if (isUnheard(message)) {
      const topic = this.#subjects.topicOf(subject);
      if (topic !== undefined) this.#receiver?.unheard(topic);
      return;
    }
    if (this.#interests.size > 1 && this.#designatedOf(subject) !== subscribed) return;
    const read = this.#read(message);
    if (read !== undefined) this.#receiver?.live(read);
  }

  #read(message: Msg): Message | undefined {
    const { bytes, headerBytes, reply } = raw(message);
    const read = readMessage(this.#subjects, message.subject, bytes, headerBytes, this.#clock.now(), 0);
    if (read === undefined || reply.length === 0) return read;
    return withReply(read, Buffer.from(reply).toString('latin1'), this.#subjects);
  }

  #designatedOf(subject: string): string | undefined {
    const known = this.#designated.get(subject);
    if (known !== undefined) return known;
    for (const pattern of this.#interests.keys()) {
      if (!covers(pattern, subject)) continue;
      if (this.#designated.size >= REMEMBERED) this.#designated.clear();
      this.#designated.set(subject, pattern);
      return pattern;
    }
    return undefined;
  }
}
