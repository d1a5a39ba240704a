import type { Msg, Subscription } from 'nats';
import { BrokerError } from '../../src/core/errors.ts';
import type { Cluster, ClusterReceiver } from '../../src/ports/backbone.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/routing.ts';
import { type Connection, explain } from './connection.ts';
import { InOrder } from './in-order.ts';
import { Leases } from './leases.ts';
import type { JetStreamOptions } from './options.ts';
import { Owners } from './owners.ts';
import { PeerLinks } from './peer-links.ts';
import type { JetStreamState } from './state.ts';

const BUCKET = 'owners';
/** Milliseconds that a node may take to yield a client, and how often it is asked before the client is taken. */
const YIELD = 2_000;
const ASKED = 3;

/** Owners of clients as entries of the state, taken by compare-and-set; the owner is asked to yield before. */
export class JetStreamCluster implements Cluster {
  readonly node: string;
  readonly alone = false;
  readonly #prefix: string;
  readonly #state: JetStreamState;
  readonly #connection: Connection;
  readonly #logger: Logger;
  readonly #leases: Leases;
  readonly #owners: Owners;
  readonly #links: PeerLinks;
  readonly #order = new InOrder();
  readonly #value: Uint8Array;
  /** Clients of this node, with the revision of their entry. */
  readonly #owned = new Map<string, number>();
  #receiver: ClusterReceiver | undefined;
  #subscription: Subscription | undefined;

  constructor(
    options: JetStreamOptions,
    node: string,
    state: JetStreamState,
    connection: Connection,
    clock: Clock,
    logger: Logger,
  ) {
    this.node = node;
    this.#prefix = options.prefix;
    this.#state = state;
    this.#connection = connection;
    this.#logger = logger;
    this.#value = Buffer.from(node);
    this.#leases = new Leases(node, options.leaseSeconds, state, connection, clock, logger, (lost) => {
      this.#links.forget(lost);
      this.#receiver?.nodeLost(lost);
    });
    this.#owners = new Owners(node, state, this.#leases, connection, logger, (key) => this.#receiver?.disowned(key));
    this.#links = new PeerLinks(options, node, connection, clock, logger, {
      alive: (other) => this.alive(other),
      received: (from, bytes) => this.#receiver?.received(from, bytes),
      interrupted: () => this.#receiver?.interrupted(),
    });
    state.watch(BUCKET, (clientId, entry, revision) => {
      const owned = this.#owned.get(clientId);
      if (owned === undefined || revision <= owned) return;
      if (entry !== undefined && Buffer.from(entry.value).toString() === this.node) return;
      void this.#order.after(clientId, () => this.#lost(clientId, revision));
    });
  }

  join(receiver: ClusterReceiver): void {
    this.#receiver = receiver;
  }

  async start(): Promise<void> {
    this.#subscription = this.#connection.subscribe(this.#yieldSubject(this.node), (message) => this.#asked(message));
    this.#links.start();
    await this.#leases.start();
  }

  async stop(): Promise<void> {
    this.#subscription?.unsubscribe();
    this.#links.stop();
    await this.#leases.stop();
  }

  alive(node: string): boolean {
    return this.#leases.has(node);
  }

  claim(clientId: string): Promise<void> {
    return this.#order.after(clientId, () => this.#claim(clientId));
  }

  release(clientId: string): void {
    void this.#order.after(clientId, async () => {
      const revision = this.#owned.get(clientId);
      if (revision === undefined) return;
      this.#owned.delete(clientId);
      try {
        await this.#state.remove(BUCKET, clientId, revision);
      } catch (error) {
        this.#logger.debug({ clientId, error: explain(error) }, 'The entry of a client could not be removed');
      }
    });
  }

  own(key: string): Promise<string> {
    return this.#owners.own(key);
  }

  disown(key: string): Promise<void> {
    return this.#owners.disown(key);
  }

  send(node: string, bytes: Uint8Array): void {
    this.#links.send(node, bytes);
  }

  async #claim(clientId: string): Promise<void> {
    if (this.#owned.has(clientId)) return;
    let revision = await this.#state.put(BUCKET, clientId, this.#value, 0);
    for (let asked = 0; revision === undefined; ) {
      const entry = await this.#state.get(BUCKET, clientId);
      const owner = entry && Buffer.from(entry.value).toString();
      // An own entry is taken anew as well: whoever is about to take it has to ask again.
      if (owner !== undefined && owner !== this.node && this.alive(owner) && asked < ASKED) {
        asked++;
        await this.#askToYield(owner, clientId);
      }
      revision = await this.#state.put(BUCKET, clientId, this.#value, entry?.revision ?? 0);
    }
    this.#owned.set(clientId, revision);
  }

  async #askToYield(owner: string, clientId: string): Promise<void> {
    try {
      await this.#connection.request(this.#yieldSubject(owner), Buffer.from(clientId), undefined, YIELD);
    } catch (error) {
      this.#logger.warn({ clientId, node: owner, error: explain(error) }, 'Another broker did not yield a client');
    }
  }

  #asked(message: Msg): void {
    const clientId = Buffer.from(message.data).toString();
    void this.#order.after(clientId, async () => {
      await this.#yield(clientId);
      this.#owned.delete(clientId);
      message.respond();
    });
  }

  /** Another node has taken it without this one's consent: this one stood still, or was taken for lost. */
  async #lost(clientId: string, revision: number): Promise<void> {
    const owned = this.#owned.get(clientId);
    if (owned === undefined || revision <= owned) return;
    this.#owned.delete(clientId);
    this.#logger.warn({ clientId }, 'Another broker has taken a client over');
    await this.#yield(clientId);
  }

  async #yield(clientId: string): Promise<void> {
    if (!this.#owned.has(clientId) && this.#receiver === undefined) return;
    try {
      await this.#receiver?.yieldClient(clientId);
    } catch (error) {
      const why = error instanceof BrokerError ? error.message : explain(error);
      this.#logger.warn({ clientId, error: why }, 'A client could not be yielded as it should');
    }
  }

  #yieldSubject(node: string): string {
    return `${this.#prefix}.node.${node}.yield`;
  }
}
