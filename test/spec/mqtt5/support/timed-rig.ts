import type { Test } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../../../support/eventually.ts';
import { RawMqtt } from '../../../support/mqtt-client.ts';
import { TimedBroker } from '../../../support/timed-broker.ts';
import type { Client } from '../../mqtt/support/rig.ts';

/** Session Expiry Interval that means for ever. */
export const EVER = 0xffffffff;

export interface Terms {
  readonly clean?: boolean;
  readonly expiry?: number | undefined;
  readonly delay?: number;
  readonly will?: object;
}

/** A broker for each test, for which time passes as the test says, and clients of MQTT 5.0 that are gone with it. */
export class TimedRig {
  #broker: TimedBroker | undefined;
  readonly #clients: RawMqtt[] = [];

  constructor(test: Test) {
    test.before.each(async () => {
      this.#broker = await TimedBroker.start({ limits: { keepAliveSeconds: 65_535, sessionExpirySeconds: EVER - 1 } });
    });
    test.after.each(async () => {
      for (const each of this.#clients.splice(0)) each.destroy();
      await this.#broker?.stop();
    });
  }

  get broker(): TimedBroker {
    if (this.#broker === undefined) throw new Error('the broker is not started');
    return this.#broker;
  }

  pass(seconds: number): void {
    this.broker.pass(seconds);
  }

  async connect(clientId: string, options: object): Promise<Client> {
    const connected = await RawMqtt.connect(this.broker.mqtt, { clientId, protocolVersion: 5, ...options });
    this.#clients.push(connected);
    return connected;
  }

  /** With a delay (seconds, or undefined for none) there is a will on the topic `will`. */
  client(clientId: string, { clean = false, expiry, delay, will }: Terms = {}): Promise<Client> {
    const properties = expiry === undefined ? {} : { properties: { sessionExpiryInterval: expiry } };
    const message = { topic: 'will', payload: Buffer.from('gone'), qos: 1 as const, retain: false, ...will };
    const waits = delay === undefined ? {} : { properties: { willDelayInterval: delay } };
    const mortal = delay === undefined && will === undefined ? {} : { will: { ...message, ...waits } };
    return this.connect(clientId, { clean, keepalive: 0, ...properties, ...mortal });
  }

  /** Gone, for the broker too. */
  async gone(lost: Client): Promise<void> {
    const { counters } = this.broker;
    const { connections } = counters;
    lost.destroy();
    await eventually('the connection is gone', () => counters.connections < connections);
  }

  async disconnect(leaving: Client, reasonCode = 0, sessionExpiryInterval?: number): Promise<void> {
    const properties = sessionExpiryInterval === undefined ? {} : { properties: { sessionExpiryInterval } };
    leaving.send({ cmd: 'disconnect', reasonCode, ...properties });
    assert.equal(await leaving.end(), []);
  }

  async present(clientId: string, terms: Terms = {}): Promise<boolean> {
    return (await this.client(clientId, terms)).connack.sessionPresent;
  }

  /** Gets the wills. */
  async watcher(): Promise<Client> {
    const watcher = await this.client('watcher', { clean: true });
    await watcher.subscribe('will/#', 1);
    await watcher.subscribe('will', 1);
    return watcher;
  }
}
