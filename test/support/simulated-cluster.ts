import { BrokerError } from '../../src/core/errors.ts';
import type { Cluster, ClusterReceiver } from '../../src/ports/backbone.ts';
import type { Clock, Timer } from '../../src/ports/clock.ts';

/**
 * Several nodes in one process, with a clock of their own that runs as fast as there is work. What happens, happens in one
 * order, the same every time. Nodes can be killed, stand still, and be cut off for a while.
 */

/** Milliseconds from node to node, and until a node that is gone is known to be. */
const LATENCY = 2;
const LEASE = 500;

interface Event {
  readonly at: number;
  readonly order: number;
  readonly node: SimulatedNode | undefined;
  readonly run: () => void;
  cancelled: boolean;
}

export class SimulatedCluster {
  readonly nodes = new Map<string, SimulatedNode>();
  readonly owners = new Map<string, string>();
  /** What was sent, before it is delivered: from, to, bytes. False: it is lost. */
  filter: (from: string, to: string, bytes: Uint8Array) => boolean = () => true;
  /** What fails when the cluster is asked for an owner. */
  failure: BrokerError | undefined;
  asked = 0;
  /** Milliseconds until it is answered. */
  asking = 3;
  now = 1_000_000;
  #events: Event[] = [];
  #order = 0;

  add(name: string): SimulatedNode {
    const node = new SimulatedNode(name, this);
    this.nodes.set(name, node);
    return node;
  }

  /** At that time, if the node runs then; when it stands still, once it goes on. */
  at(delay: number, node: SimulatedNode | undefined, run: () => void): Timer {
    const event = { at: this.now + Math.max(0, delay), order: this.#order++, node, run, cancelled: false };
    // Kept in order: what happens first is last.
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#events[middle];
      if (other !== undefined && other.at > event.at) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, event);
    return {
      cancel: () => {
        event.cancelled = true;
      },
    };
  }

  /** Lets that much time pass, with all that happens in it. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    await settled();
    for (let next = this.#events.at(-1); next !== undefined && next.at <= end; next = this.#events.at(-1)) {
      this.#events.pop();
      this.now = next.at;
      if (next.cancelled || next.node?.state === 'dead') continue;
      if (next.node?.state === 'frozen') {
        next.node.later.push(next.run);
        continue;
      }
      next.run();
      await settled();
    }
    this.now = end;
  }

  /** All others are told, after a while. */
  declareLost(node: SimulatedNode, delay = LEASE): void {
    this.at(delay, undefined, () => {
      if (node.state !== 'dead' && node.state !== 'frozen') return;
      this.#lose(node);
    });
  }

  #lose(node: SimulatedNode): void {
    this.nodes.delete(node.node);
    for (const other of new Set([...this.nodes.values(), ...this.gone.values()])) {
      if (other !== node) this.at(LATENCY, other, () => other.receiver?.nodeLost(node.node));
    }
  }

  own(node: SimulatedNode, key: string): Promise<string> {
    this.asked++;
    return new Promise((resolve, reject) => {
      this.at(this.asking, node, () => {
        if (this.failure !== undefined) {
          reject(this.failure);
          return;
        }
        const owner = this.owners.get(key);
        if (owner !== undefined && this.nodes.has(owner)) {
          resolve(owner);
          return;
        }
        this.owners.set(key, node.node);
        // One that was taken for lost hears of it once it goes on.
        const before = owner === undefined ? undefined : node.cluster.gone.get(owner);
        if (before !== undefined) this.at(LATENCY, before, () => before.receiver?.disowned(key));
        resolve(node.node);
      });
    });
  }

  /** Taken for lost, or ended. */
  readonly gone = new Map<string, SimulatedNode>();
}

/** Promises have gone as far as they can without time. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class SimulatedNode implements Cluster, Clock {
  readonly node: string;
  readonly alone = false;
  readonly cluster: SimulatedCluster;
  state: 'running' | 'frozen' | 'dead' = 'running';
  receiver: Omit<ClusterReceiver, 'yieldClient'> | undefined;
  /** What is to happen here, once it goes on. */
  later: (() => void)[] = [];
  /** Times at which the way was cut: what was sent before and has not come by then is lost. */
  #cuts = 0;
  #connected = true;

  constructor(name: string, cluster: SimulatedCluster) {
    this.node = name;
    this.cluster = cluster;
  }

  // --- Clock --------------------------------------------------------------------------------------------------------

  now(): number {
    return this.cluster.now;
  }

  schedule(delay: number, task: () => void): Timer {
    return this.cluster.at(delay, this, task);
  }

  defer(task: () => void): void {
    this.cluster.at(0, this, task);
  }

  random(count: number): Uint8Array {
    return new Uint8Array(count);
  }

  // --- Cluster ------------------------------------------------------------------------------------------------------

  join(receiver: ClusterReceiver): void {
    this.receiver = receiver;
  }

  alive(node: string): boolean {
    return this.cluster.nodes.has(node);
  }

  async claim(): Promise<void> {}
  release(): void {}

  own(key: string): Promise<string> {
    return this.cluster.own(this, key);
  }

  async disown(key: string): Promise<void> {
    if (this.cluster.owners.get(key) === this.node) this.cluster.owners.delete(key);
  }

  send(to: string, bytes: Uint8Array): void {
    const copy = Uint8Array.from(bytes);
    const target = this.cluster.nodes.get(to) ?? this.cluster.gone.get(to);
    if (target === undefined || !this.cluster.filter(this.node, to, copy)) return;
    if (!this.#connected || !target.#connected) return;
    const [cuts, targetCuts] = [this.#cuts, target.#cuts];
    this.cluster.at(LATENCY, target, () => {
      if (cuts === this.#cuts && targetCuts === target.#cuts) target.receiver?.received(this.node, copy);
    });
  }

  // --- What can happen to it ----------------------------------------------------------------------------------------

  kill(): void {
    this.state = 'dead';
    this.cluster.gone.set(this.node, this);
    this.cluster.declareLost(this);
  }

  /** Stands still; longer than the lease, it is taken for lost. */
  freeze(): void {
    this.state = 'frozen';
    this.cluster.gone.set(this.node, this);
    this.cluster.declareLost(this);
  }

  thaw(): void {
    if (this.state !== 'frozen') return;
    this.state = 'running';
    this.cluster.gone.delete(this.node);
    this.cluster.nodes.set(this.node, this);
    const later = this.later;
    this.later = [];
    for (const task of later) this.cluster.at(0, this, task);
  }

  /** Cut off for so many milliseconds. What is under way is lost. */
  interrupt(milliseconds: number): void {
    this.#cuts++;
    this.#connected = false;
    this.cluster.at(milliseconds, this, () => {
      this.#connected = true;
      this.receiver?.interrupted();
    });
  }
}

export function unavailable(): BrokerError {
  return new BrokerError('unavailable', 'NATS is away');
}
