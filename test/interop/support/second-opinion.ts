import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { Aedes } from 'aedes';
import type { IClientOptions, IConnackPacket } from 'mqtt';
import type { Test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Address } from '../../../src/broker.ts';
import { startBroker, type TestBroker } from '../../support/broker.ts';
import { MqttJs, type Seen } from './mqttjs.ts';

/**
 * A second opinion on MQTT 3.1.1: the same scenarios on this broker and on a plain aedes, by the same client. What a
 * client can observe must be equal; where it is not, the difference is named with the clause that allows ours.
 */

/** What a scenario does with one broker. */
class Session {
  readonly #address: Address;
  readonly #clients: MqttJs[] = [];

  constructor(address: Address) {
    this.#address = address;
  }

  async open(options: IClientOptions = {}): Promise<[MqttJs, IConnackPacket]> {
    const { host, port } = this.#address;
    const opened = await MqttJs.connect(`mqtt://${host}:${port}`, { protocolVersion: 4, ...options });
    this.#clients.push(opened[0]);
    return opened;
  }

  async client(options?: IClientOptions): Promise<MqttJs> {
    return (await this.open(options))[0];
  }

  close(): void {
    for (const each of this.#clients) each.destroy();
  }
}

type Scenario = (session: Session) => Promise<unknown>;

async function observe(address: Address, scenario: Scenario): Promise<unknown> {
  const session = new Session(address);
  try {
    return await scenario(session);
  } finally {
    session.close();
  }
}

/** This broker and aedes, for the tests of a suite. */
export class SecondOpinion {
  readonly #test: Test;
  #ours: TestBroker | undefined;
  #aedes: Aedes | undefined;
  #listener: Server | undefined;
  #theirs: Address | undefined;

  constructor(test: Test) {
    this.#test = test;
    test.before(async () => {
      this.#ours = await startBroker();
      const aedes = await Aedes.createBroker();
      this.#aedes = aedes;
      this.#listener = createServer((socket) => aedes.handle(socket)).listen(0, '127.0.0.1');
      await once(this.#listener, 'listening');
      const address = this.#listener.address();
      if (address === null || typeof address === 'string') throw new Error('aedes has no port');
      this.#theirs = { host: '127.0.0.1', port: address.port };
    });
    test.after(async () => {
      await this.#ours?.broker.stop();
      await new Promise<void>((resolve) =>
        this.#aedes === undefined ? resolve() : this.#aedes.close(() => resolve()),
      );
      this.#listener?.close();
    });
  }

  readonly agree = (title: string, scenario: Scenario): void => {
    this.#test(title, async () => {
      const { ours, theirs } = await this.#both(scenario);
      assert.equal(ours, theirs);
    });
  };

  /** What both do, each by itself: a new version of aedes that does as we do fails here and is welcome. */
  readonly differ = (title: string, scenario: Scenario, expected: { ours: unknown; theirs: unknown }): void => {
    this.#test(`known difference: ${title}`, async () => {
      const { ours, theirs } = await this.#both(scenario);
      assert.equal(ours, expected.ours, 'ours');
      assert.equal(theirs, expected.theirs, 'theirs');
    });
  };

  async #both(scenario: Scenario): Promise<{ readonly ours: unknown; readonly theirs: unknown }> {
    if (this.#ours === undefined || this.#theirs === undefined) throw new Error('the brokers are not started');
    return { ours: await observe(this.#ours.mqtt, scenario), theirs: await observe(this.#theirs, scenario) };
  }
}

export const LEVELS = [0, 1, 2] as const;

export const lasting = (clientId: string): IClientOptions => ({ clientId, clean: false });

export const byTopic = (seen: Seen[]): Seen[] =>
  seen.sort((a, b) => (a.topic + a.payload < b.topic + b.payload ? -1 : 1));
