import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrokerProcess, startBrokerProcess } from '../../support/broker-process.ts';

/** A broker with the embedded store, in a process of its own, which is killed and started again with what it has written. */
export class RestartedBroker {
  readonly #directory: string;
  #running: BrokerProcess | undefined;

  /** `name`: of the test, for its directory. */
  constructor(name: string) {
    this.#directory = mkdtempSync(join(tmpdir(), `trimaran-${name}-`));
  }

  async start(): Promise<BrokerProcess> {
    this.#running = await startBrokerProcess(
      'backbone.type=embedded',
      `backbone.embedded.directory=${this.#directory}`,
    );
    return this.#running;
  }

  /** Ends it, and takes away what it has written. */
  async remove(): Promise<void> {
    await this.#running?.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
