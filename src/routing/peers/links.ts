import { GuestLink, type Services } from './guest-link.ts';
import { type LinkContext, OwnerLink, type PushResults } from './owner-link.ts';
import type { Packet } from './packets.ts';
import { KIND, readPacket } from './packets.ts';

/** The ways between this node and the others: to those that own what is wanted here, and from those that want what it owns. */
export class Links {
  readonly #owners = new Map<string, OwnerLink>();
  readonly #guests = new Map<string, GuestLink>();
  readonly #context: LinkContext;
  readonly #services: Services;
  readonly #results: PushResults;

  constructor(context: LinkContext, services: Services, results: PushResults) {
    this.#context = context;
    this.#services = services;
    this.#results = results;
  }

  to(node: string): OwnerLink {
    let link = this.#owners.get(node);
    if (link === undefined) {
      link = new OwnerLink(node, this.#context, this.#results);
      this.#owners.set(node, link);
    }
    return link;
  }

  /** The link to that node, if there is one. */
  find(node: string): OwnerLink | undefined {
    return this.#owners.get(node);
  }

  received(node: string, bytes: Uint8Array): void {
    const { logger } = this.#context;
    try {
      this.#read(node, readPacket(bytes));
    } catch (error) {
      logger.error({ err: error, node }, 'what another broker sent cannot be read; the rest of it is ignored');
    }
  }

  #read(node: string, packet: Packet): void {
    if (packet.kind !== KIND.ask) {
      this.#owners.get(node)?.received(packet);
      return;
    }
    let guest = this.#guests.get(node);
    if (guest === undefined) {
      // Of one that was taken for lost, what was under way to here comes too late; it begins again when it is back.
      if (!this.#context.cluster.alive(node)) return;
      guest = new GuestLink(node, this.#context, this.#services);
      this.#guests.set(node, guest);
    }
    guest.received(packet);
  }

  /** What is under way, in both directions, may be lost. */
  interrupted(): void {
    for (const guest of this.#guests.values()) guest.restart();
    for (const owner of [...this.#owners.values()]) owner.begin();
  }

  /** The link to that node, closed; what it was asked for is up to the caller. */
  lost(node: string): OwnerLink | undefined {
    const guest = this.#guests.get(node);
    this.#guests.delete(node);
    // If it was taken for lost and is not, it begins again.
    guest?.restart();
    guest?.close();
    const owner = this.#owners.get(node);
    this.#owners.delete(node);
    return owner;
  }

  close(): OwnerLink[] {
    for (const guest of this.#guests.values()) guest.close();
    this.#guests.clear();
    const owners = [...this.#owners.values()];
    this.#owners.clear();
    return owners;
  }
}
