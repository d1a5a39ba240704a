import type { StompConfig } from '@stomp/stompjs';
import type { Headers } from 'stompit';
import type { Test } from 'uvu';
import { startBroker, type TestBroker } from '../../support/broker.ts';
import { Stompit } from './stompit.ts';
import { StompJs } from './stompjs.ts';

/** A broker for the tests of a suite, and clients that are gone after each. */
export class StompClients {
  #server: TestBroker | undefined;
  readonly #clients: { destroy(): void }[] = [];

  constructor(test: Test) {
    test.before(async () => {
      this.#server = await startBroker();
    });
    test.after(() => this.#server?.broker.stop());
    test.after.each(() => {
      for (const each of this.#clients.splice(0)) each.destroy();
    });
  }

  get #running(): TestBroker {
    if (this.#server === undefined) throw new Error('the broker is not started');
    return this.#server;
  }

  /** Over WebSocket. */
  async stompJs(config?: StompConfig): Promise<StompJs> {
    const client = await StompJs.connect(this.#running.http, config);
    this.#clients.push(client);
    return client;
  }

  /** Over TCP. */
  async stompit(headers?: Headers): Promise<Stompit> {
    const client = await Stompit.connect(this.#running.stomp, headers);
    this.#clients.push(client);
    return client;
  }
}
