import type { Start } from '../../core/start.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Consumer, GroupOptions, GroupStatus, Membership } from '../../ports/queues.ts';
import { readShare, shareOf } from '../groups/share.ts';
import type { GroupHost } from '../hosts.ts';
import { askOwner } from './ask-owner.ts';
import { Attachment } from './attachment.ts';
import { type Answer, type GroupCall, performGroupCall } from './calls.ts';
import type { Links } from './links.ts';
import { Moved, type Ownership } from './ownership.ts';

/** The groups of the whole cluster, each at the node that owns it. */
export class ClusterGroups implements GroupHost {
  readonly ownership: Ownership;
  readonly #host: () => GroupHost;
  readonly #links: Links;
  readonly #clock: Clock;

  constructor(ownership: Ownership, host: () => GroupHost, links: Links, clock: Clock) {
    this.ownership = ownership;
    this.#host = host;
    this.#links = links;
    this.#clock = clock;
  }

  consume(group: string, filter: string, consumer: Consumer, options: GroupOptions): Membership {
    const share = shareOf(group, filter);
    const subject = {
      find: () => this.ownership.find(share),
      attach: (node: string, at: Consumer) =>
        node === this.ownership.node
          ? this.#host().consume(group, filter, at, options)
          : this.#links.to(node).consume({ kind: 'group', group, filter, options }, at),
      moved: (node: string) => this.ownership.forget(share, node),
    };
    return new Attachment(consumer, subject, this.#clock);
  }

  /** A consumer of another node; rejects with `Moved` when the group is not here. */
  async consumeFor(group: string, filter: string, consumer: Consumer, options: GroupOptions): Promise<Membership> {
    if ((await this.ownership.find(shareOf(group, filter))) !== this.ownership.node) throw new Moved();
    return this.#host().consume(group, filter, consumer, options);
  }

  async status(group: string, filter: string): Promise<GroupStatus | undefined> {
    const answer = await this.#call({ call: 'groupStatus', group, filter });
    return answer.answer === 'group' ? answer.status : undefined;
  }

  async move(group: string, filter: string, to: Start): Promise<void> {
    await this.#call({ call: 'groupMove', group, filter, to });
  }

  /** Whichever node has its place gives it up. */
  delete(group: string, filter: string): Promise<void> {
    return this.#host().delete(group, filter);
  }

  #call(asked: GroupCall): Promise<Answer> {
    const share = shareOf(asked.group, asked.filter);
    return askOwner(
      this.ownership,
      share,
      this.#clock,
      (node) => (node === this.ownership.node ? this.#perform(asked) : this.#links.to(node).call(asked)),
      (node) => this.ownership.forget(share, node),
    );
  }

  /** A call of another node. */
  async callFor(asked: GroupCall): Promise<Answer> {
    if ((await this.ownership.find(shareOf(asked.group, asked.filter))) !== this.ownership.node) throw new Moved();
    return this.#perform(asked);
  }

  async #perform(asked: GroupCall): Promise<Answer> {
    const answer = await performGroupCall(this.#host(), asked);
    // Of a group that there is not, nobody becomes the owner by asking for it.
    if (asked.call === 'groupStatus' && answer.answer === 'nothing') this.closed(asked.group, asked.filter);
    return answer;
  }

  drop(group: string, filter: string): void {
    this.#host().drop(group, filter);
  }

  /** Another node has it. */
  disowned(share: string): void {
    if (!this.ownership.disowned(share)) return;
    const { name, filter } = readShare(share);
    this.#host().drop(name, filter);
  }

  /** The host has no members of it any more: any node may have it next. */
  closed(group: string, filter: string): void {
    this.ownership.release(shareOf(group, filter)).catch(() => {});
  }
}
