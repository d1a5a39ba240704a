import type { Backbone, BackboneReceiver, Live } from '../../src/ports/backbone.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { NoOtherNodes, OnlyNode } from '../shared/single-node.ts';
import { type DedupLimits, MemoryLog } from './log.ts';
import { MemoryQueueStores } from './queues.ts';
import { MemoryState } from './state.ts';

export interface MemoryOptions {
  /** How much of the log is kept, bytes. */
  readonly logBytes: number;
  readonly dedup: DedupLimits;
}

/** A backbone of one node that keeps everything in memory: for tests, simulations, and brokers that need not last. */
export class MemoryBackbone implements Backbone {
  readonly log: MemoryLog;
  readonly live: Live = new NoOtherNodes();
  readonly state = new MemoryState();
  readonly cluster: OnlyNode;
  readonly queues: MemoryQueueStores;
  #started = false;

  constructor(options: MemoryOptions, clock: Clock) {
    this.log = new MemoryLog(options.logBytes, options.dedup, clock);
    this.cluster = new OnlyNode(clock);
    this.queues = new MemoryQueueStores(options.dedup, clock);
  }

  async start(receiver: BackboneReceiver): Promise<void> {
    this.log.open(receiver);
    this.#started = true;
  }

  async stop(): Promise<void> {
    this.#started = false;
    this.log.commit();
  }

  /** Nothing of it can fail, or is there after the end. */
  together(work: () => void): undefined {
    work();
  }

  notReady(): string | undefined {
    return this.#started ? undefined : 'the backbone is not started';
  }
}
