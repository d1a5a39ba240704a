import type { Start } from '../../src/core/start.ts';
import type { KeptFeed } from './kept-session.ts';
import type { Link } from './link.ts';
import { LogFeed } from './log-feed.ts';
import type { Progress } from './progress.ts';
import type { Feed, TopicRequest } from './subscribe.ts';

/** A subscription that begins at a place of its own in the log, and goes on with what is live from there. */
export class Replay implements Feed {
  readonly name: string;
  /** In a session: how far its client has come. */
  readonly progress: Progress | undefined;
  readonly #request: TopicRequest;
  readonly #link: Link;
  #feed: LogFeed | undefined;
  #closed = false;

  constructor(link: Link, request: TopicRequest, progress: Progress | undefined) {
    this.name = request.name;
    this.progress = progress;
    this.#request = request;
    this.#link = link;
  }

  /** Resolves when it has its place: what comes from then on comes without gap, once it is pumped. */
  async open(start: Start): Promise<void> {
    const from = await this.#link.services.startOf(start, this.#request.filter);
    if (!this.#closed) this.begin(from);
  }

  /** `from`: per shard. */
  begin(from: readonly number[]): void {
    this.#feed = new LogFeed(this.#link, this.progress, from);
    this.#feed.add(this.#request, from);
  }

  pump(): void {
    this.#feed?.pump();
  }

  close(): void {
    this.#closed = true;
    this.#feed?.close();
  }

  kept(): KeptFeed {
    const request = this.#request.text;
    // As long as it has no place, it begins anew on return.
    if (this.#feed === undefined || this.progress === undefined) return { request, settled: [], sent: [] };
    return { request, settled: this.progress.settled(this.#feed.positions()), sent: this.progress.sentTo };
  }
}
