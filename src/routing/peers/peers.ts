import { BrokerError } from '../../core/errors.ts';
import type { Cluster, ClusterReceiver } from '../../ports/backbone.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/routing.ts';
import type { GroupHost, QueueHost } from '../hosts.ts';
import { ClusterGroups } from './groups.ts';
import type { Services } from './guest-link.ts';
import { Links } from './links.ts';
import { Ownership } from './ownership.ts';
import { ClusterQueues, type QueueNames } from './queues.ts';

export interface Hosts {
  readonly queues: QueueHost;
  readonly groups: GroupHost;
  readonly names: QueueNames;
}

/** Makes the queues and groups of all nodes one thing: what is not owned here is reached where it is. */
export class Peers implements Omit<ClusterReceiver, 'yieldClient'> {
  readonly queues: ClusterQueues;
  readonly groups: ClusterGroups;
  readonly #links: Links;
  readonly #queueOwners: Ownership;
  readonly #groupOwners: Ownership;
  #last = 0;

  constructor(cluster: Cluster, hosts: Hosts, clock: Clock, logger: Logger) {
    this.#queueOwners = new Ownership(cluster, 'queue:');
    this.#groupOwners = new Ownership(cluster, 'group:');
    const context = { cluster, clock, logger, next: () => ++this.#last, lost: (node: string) => this.nodeLost(node) };
    const services: Services = {
      consume: (wanted, consumer) =>
        wanted.kind === 'queue'
          ? this.queues.consumeFor(wanted.queue, consumer, wanted.options, wanted.settings)
          : this.groups.consumeFor(wanted.group, wanted.filter, consumer, wanted.options),
      mine: (wanted) =>
        wanted.kind === 'queue'
          ? this.#queueOwners.mine(wanted.queue)
          : this.#groupOwners.mine(`${wanted.group}/${wanted.filter}`),
      mineQueue: (queue) => this.#queueOwners.mine(queue),
      push: (queue, message, receiver, token) => this.queues.pushFor(queue, message, receiver, token),
      call: (asked) =>
        asked.call === 'groupStatus' || asked.call === 'groupMove'
          ? this.groups.callFor(asked)
          : this.queues.callFor(asked),
    };
    this.#links = new Links(context, services, {
      pushed: (push, repeated, link) => this.queues.pushed(push, repeated, link),
      refused: (push, error, link) => this.queues.refused(push, error, link),
    });
    this.queues = new ClusterQueues(this.#queueOwners, hosts.queues, hosts.names, this.#links, clock);
    this.groups = new ClusterGroups(this.#groupOwners, hosts.groups, this.#links, clock);
  }

  nodeLost(node: string): void {
    this.#queueOwners.lost(node);
    this.#groupOwners.lost(node);
    const link = this.#links.lost(node);
    if (link !== undefined) this.queues.returned(link.close(), link);
  }

  disowned(key: string): void {
    const queue = this.#queueOwners.nameOf(key);
    if (queue !== undefined) this.queues.disowned(queue);
    const group = this.#groupOwners.nameOf(key);
    if (group !== undefined) this.groups.disowned(group);
  }

  received(node: string, bytes: Uint8Array): void {
    this.#links.received(node, bytes);
  }

  interrupted(): void {
    this.#links.interrupted();
  }

  /** Clients are gone. Other nodes' consumers end here; afterwards the hosts close their stores. */
  close(): void {
    const pushes = this.#links.close().flatMap((link) => link.close());
    this.queues.stop(pushes, new BrokerError('unavailable', 'this node stops'));
  }

  /** Others may have what this node had: after the stores are closed. */
  async release(): Promise<void> {
    await Promise.all([this.#queueOwners.stop(), this.#groupOwners.stop()]);
  }
}
