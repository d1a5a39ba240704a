import type { Cluster, Live } from '../../src/ports/backbone.ts';
import type { Clock } from '../../src/ports/clock.ts';

/** What a backbone of one process has of `Live` and `Cluster`: there is no one else. */

export class NoOtherNodes implements Live {
  publish(): boolean {
    return false;
  }

  interest(): void {}
}

export class OnlyNode implements Cluster {
  readonly node: string;
  readonly alone = true;

  constructor(clock: Clock) {
    this.node = Buffer.from(clock.random(8)).toString('hex');
  }

  /** Nodes of other names are this one's earlier runs. */
  alive(node: string): boolean {
    return node === this.node;
  }

  join(): void {}
  async claim(): Promise<void> {}
  release(): void {}

  async own(): Promise<string> {
    return this.node;
  }

  async disown(): Promise<void> {}
  send(): void {}
}
