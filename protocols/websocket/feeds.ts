import type { Start } from '../../src/core/start.ts';
import { RequestError } from './codec.ts';
import { JsonConsumer } from './consumer.ts';
import type { Kept, KeptFeed, KeptSession, KeptSubscription } from './kept-session.ts';
import type { Link } from './link.ts';
import { LogFeed } from './log-feed.ts';
import { Progress } from './progress.ts';
import { Replay } from './replay.ts';
import { selectorOf } from './selector.ts';
import { type Feed, readKept, type SubscribeRequest, type TopicRequest } from './subscribe.ts';
import type { Tasks } from './tasks.ts';

/** Tells the client that what it asked for is done, and kept; `then` follows. */
type Acknowledge = (then?: () => void) => void;

/** All that one client is subscribed to, by name: topics with one place in the log, and what has a place of its own. */
export class Feeds {
  readonly #link: Link;
  readonly #tasks: Tasks;
  readonly #session: KeptSession | undefined;
  readonly #own = new Map<string, Feed>();
  #topics: LogFeed | undefined;
  /** Bytes of selectors, of those that have one. */
  readonly #selectors = new Map<string, number>();
  /** Those whose place in the log is being looked for, also when they are over before it is found. */
  #starting = 0;

  constructor(link: Link, tasks: Tasks, session: KeptSession | undefined) {
    this.#link = link;
    this.#tasks = tasks;
    this.#session = session;
  }

  get size(): number {
    return this.#own.size + (this.#topics?.size ?? 0);
  }

  has(name: string): boolean {
    return this.#own.has(name) || this.#topics?.has(name) === true;
  }

  consumer(name: string): JsonConsumer | undefined {
    const feed = this.#own.get(name);
    return feed instanceof JsonConsumer ? feed : undefined;
  }

  progressOf(name: string): Progress | undefined {
    const feed = this.#own.get(name);
    return feed instanceof Replay ? feed.progress : undefined;
  }

  /** The name is free, and the client has the right to it. `id`: of the request, as JSON text. */
  add(request: SubscribeRequest, id: string | undefined, acknowledge: Acknowledge): void {
    const bytes = selectorBytes(request);
    if (bytes > 0) this.#requireSelector(bytes);
    this.#begin(request, id, acknowledge);
    if (bytes > 0) this.#selectors.set(request.name, bytes);
  }

  #requireSelector(bytes: number): void {
    const { sessionSelectorBytes } = this.#link.services.limits;
    const sum = [...this.#selectors.values()].reduce((all, each) => all + each, bytes);
    if (sum <= sessionSelectorBytes) return;
    const text = `the selectors of all subscriptions have more than ${sessionSelectorBytes} bytes (limits.sessionSelectorBytes)`;
    throw new RequestError('quota', 'selector', text);
  }

  #begin(request: SubscribeRequest, id: string | undefined, acknowledge: Acknowledge): void {
    if (request.kind === 'topics' && request.start.from === 'new') {
      this.#topics ??= new LogFeed(this.#link, this.#session?.progress);
      const topics = this.#topics;
      const subscription = topics.add(request, this.#link.services.router.positions());
      acknowledge(() => topics.replayRetained(subscription));
      return;
    }
    if (request.kind === 'topics') {
      this.#requireRoom();
      const feed = this.#replay(request);
      this.#open(feed, this.#find(feed, request.start), id, acknowledge);
    } else {
      const feed = this.#consumer(request);
      this.#open(feed, feed.open(), id, acknowledge);
    }
  }

  #requireRoom(): void {
    const { replays } = this.#link.services.limits;
    let there = 0;
    for (const feed of this.#own.values()) if (feed instanceof Replay) there++;
    if (there < replays && this.#starting < replays) return;
    const text = `there are ${replays} subscriptions with start already (limits.replays)`;
    throw new RequestError('quota', 'start', text);
  }

  async #find(feed: Replay, start: Start): Promise<void> {
    this.#starting++;
    try {
      await feed.open(start);
    } finally {
      this.#starting--;
    }
  }

  #replay(request: TopicRequest): Replay {
    const session = this.#session;
    const feed = new Replay(this.#link, request, session && new Progress(() => session.changed()));
    this.#own.set(feed.name, feed);
    return feed;
  }

  #consumer(request: Exclude<SubscribeRequest, TopicRequest>): JsonConsumer {
    const { answers } = this.#link;
    const feed = new JsonConsumer(this.#link, request, this.#session?.seconds ?? 0, ({ code, message }) => {
      this.#forget(feed);
      answers.ended(feed.name, code, message);
    });
    this.#own.set(feed.name, feed);
    return feed;
  }

  #open(feed: Feed, opened: Promise<void>, id: string | undefined, acknowledge: Acknowledge): void {
    this.#tasks.run(
      opened,
      id,
      // Who is told that it begins is told so first.
      () => acknowledge(() => feed.pump()),
      ({ code, message }) => {
        this.#forget(feed);
        this.#link.answers.refuse(code, message, id);
      },
    );
  }

  /** It is over. */
  #forget(feed: Feed): void {
    if (this.#own.get(feed.name) !== feed) return;
    this.#own.delete(feed.name);
    this.#selectors.delete(feed.name);
    this.#session?.changed();
  }

  /** False when there is none of this name. */
  remove(name: string): boolean {
    this.#selectors.delete(name);
    const feed = this.#own.get(name);
    if (feed === undefined) return this.#topics?.remove(name) === true;
    this.#own.delete(name);
    feed.close(true);
    return true;
  }

  pump(): void {
    this.#topics?.pump();
    for (const feed of this.#own.values()) feed.pump();
  }

  /** `forget`: nothing of it goes on in a session. */
  close(forget: boolean): void {
    this.#topics?.close();
    for (const feed of this.#own.values()) feed.close(forget);
  }

  // --- in a session -------------------------------------------------------------------------------------------------

  kept(): Kept {
    const subscriptions = Array.from(
      this.#topics?.subscriptions() ?? [],
      ({ id, filter, noLocal, selector, since }) => {
        return { name: id, filter, noLocal, selector: selector?.text ?? '', since };
      },
    );
    return { subscriptions, feeds: Array.from(this.#own.values(), (feed) => feed.kept()) };
  }

  /** Per shard, the first position of the log that was not handed on; empty where no topics are subscribed to. */
  positions(): readonly number[] {
    return this.#topics?.positions() ?? [];
  }

  /** What the client has the right to goes on; nothing is sent yet. */
  restore({ subscriptions, feeds }: Kept): void {
    if (subscriptions.length > 0) {
      this.#topics = new LogFeed(this.#link, this.#session?.progress, this.#session?.from());
    }
    for (const each of subscriptions) if (this.#allowed(each.filter)) this.#resume(each);
    for (const each of feeds) this.#restore(each);
  }

  #resume({ name, filter, noLocal, since, selector: text }: KeptSubscription): void {
    try {
      const selector = text === '' ? undefined : selectorOf(text, this.#link.services.limits);
      if (selector !== undefined) this.#selectors.set(name, Buffer.byteLength(text));
      this.#topics?.add({ name, filter, noLocal, selector, positions: false }, since);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#refused(text);
    }
  }

  #restore({ request: text, settled, sent }: KeptFeed): void {
    const request = readKept(text, this.#link.services.limits);
    if (request === undefined) {
      this.#refused(text);
      return;
    }
    if (!this.#allowed(request.right)) return;
    const bytes = selectorBytes(request);
    if (bytes > 0) this.#selectors.set(request.name, bytes);
    if (request.kind !== 'topics') {
      const feed = this.#consumer(request);
      this.#reopen(feed, feed.open());
      return;
    }
    const feed = this.#replay(request);
    if (settled.length === 0) {
      this.#reopen(feed, this.#find(feed, request.start));
      return;
    }
    feed.progress?.restore(settled, sent);
    feed.begin(settled);
  }

  #refused(request: string): void {
    const { clientId, services } = this.#link;
    const text = 'a session had a subscription that is not taken any more; it has ended';
    services.logger.warn({ clientId, request }, text);
  }

  #reopen(feed: Feed, opened: Promise<void>): void {
    this.#tasks.run(
      opened,
      undefined,
      () => feed.pump(),
      ({ code, message }) => {
        this.#forget(feed);
        this.#link.answers.ended(feed.name, code, message);
      },
    );
  }

  #allowed(filter: string): boolean {
    const { clientId, principal, services } = this.#link;
    if (services.authorizer.maySubscribe(principal, filter)) return true;
    const which = { clientId, filter };
    services.logger.warn(which, 'a session had a subscription that its client has no right to any more; it has ended');
    return false;
  }
}

function selectorBytes(request: SubscribeRequest): number {
  const selector = 'selector' in request ? request.selector : undefined;
  return selector === undefined ? 0 : Buffer.byteLength(selector.text);
}
