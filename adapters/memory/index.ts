import type { Message } from '../../src/core/message.ts';
import type { Backbone, BackboneReceiver, Live } from '../../src/ports/backbone.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { MemoryLog } from './log.ts';

export interface MemoryOptions {
  /** How much of the log is kept, bytes. */
  readonly logBytes: number;
}

/** A backbone of one node that keeps everything in memory: for tests, simulations, and brokers that need not last. */
export class MemoryBackbone implements Backbone {
  readonly log: MemoryLog;
  readonly live: Live = new NoOtherNodes();
  #started = false;

  constructor(options: MemoryOptions, clock: Clock) {
    this.log = new MemoryLog(options.logBytes, clock);
  }

  async start(receiver: BackboneReceiver): Promise<void> {
    this.log.open(receiver);
    this.#started = true;
  }

  async stop(): Promise<void> {
    this.#started = false;
    this.log.commit();
  }

  notReady(): string | undefined {
    return this.#started ? undefined : 'the backbone is not started';
  }
}

class NoOtherNodes implements Live {
  publish(_message: Message): void {}
  interest(_filter: string, _wanted: boolean): void {}
}
