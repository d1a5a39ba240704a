import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'uvu';
import * as assert from 'uvu/assert';
import { type BrokerProcess, startBrokerProcess } from '../../../support/broker-process.ts';
import { RawMqtt } from '../../../support/mqtt-client.ts';
import type { Client } from './rig.ts';

/** For each test of a suite a broker in a process of its own, whose store outlives it, and clients that are gone with it. */
export class DurableRig {
  #directory = '';
  #broker: BrokerProcess | undefined;
  readonly #clients: RawMqtt[] = [];

  constructor(test: Test) {
    test.before.each(async () => {
      this.#directory = mkdtempSync(join(tmpdir(), 'trimaran-durable-'));
      await this.#start();
    });
    test.after.each(async () => {
      for (const each of this.#clients.splice(0)) each.destroy();
      await this.#running.stop();
      rmSync(this.#directory, { recursive: true, force: true });
    });
  }

  get #running(): BrokerProcess {
    if (this.#broker === undefined) throw new Error('the broker is not started');
    return this.#broker;
  }

  async #start(...settings: string[]): Promise<void> {
    const directory = `backbone.embedded.directory=${this.#directory}`;
    this.#broker = await startBrokerProcess('backbone.type=embedded', directory, ...settings);
  }

  /** `settings`: as `--set` has them. */
  async restart(how: 'stopped' | 'killed', ...settings: string[]): Promise<void> {
    if (how === 'killed') await this.#running.kill();
    else assert.is(await this.#running.stop(), 0);
    await this.#start(...settings);
  }

  /** MQTT 5, unless `options` say otherwise. */
  async client(clientId: string, options: object = {}): Promise<Client> {
    const connected = await RawMqtt.connect(this.#running.mqtt, { clientId, protocolVersion: 5, ...options });
    this.#clients.push(connected);
    return connected;
  }
}
