import { once } from 'node:events';
import type { Server } from 'node:net';
import { MemoryBackbone } from '../../adapters/memory/index.ts';
import { createMqtt } from '../../protocols/mqtt/index.ts';
import type { Address } from '../../src/broker.ts';
import { type ConfigInput, resolveConfig } from '../../src/config/load.ts';
import { queuesOf } from '../../src/config/queues.ts';
import { Counters } from '../../src/core/counters.ts';
import { Messaging } from '../../src/messaging.ts';
import type { Logger } from '../../src/ports/routing.ts';
import { LoopbackAuthorizer } from '../../src/security/loopback-authorizer.ts';
import { ConnectionRegistry } from '../../src/transport/registry.ts';
import { createTcpServer } from '../../src/transport/tcp.ts';
import { ShiftedClock } from './shifted-clock.ts';

const silent: Logger = { debug() {}, info() {}, warn() {}, error: (fields, text) => console.error(text, fields) };

/** An MQTT broker on a free port, with everything in memory, for which time passes when the test says so. */
export class TimedBroker {
  readonly clock = new ShiftedClock();
  readonly counters = new Counters();
  readonly #backbone: MemoryBackbone;
  readonly #messaging: Messaging;
  readonly #registry: ConnectionRegistry;
  readonly #server: Server;

  private constructor(input: ConfigInput) {
    const config = resolveConfig({ ...input, backbone: { type: 'memory' } });
    const { clock, counters } = this;
    const { limits, backbone } = config;
    this.#backbone = new MemoryBackbone({ logBytes: backbone.memory.logBytes, dedup: backbone.dedup }, clock);
    const { defaults, declared } = queuesOf(config);
    const options = {
      limits,
      checkpointMilliseconds: 10,
      queueDefaults: defaults,
      declaredQueues: declared,
      sys: undefined,
    };
    this.#messaging = new Messaging(options, this.#backbone, new LoopbackAuthorizer(), clock, counters, silent);
    this.#registry = new ConnectionRegistry(limits, counters, clock, silent);
    this.#server = createTcpServer(createMqtt(this.#messaging.services, config.mqtt), this.#registry);
  }

  static async start(config: ConfigInput = {}): Promise<TimedBroker> {
    const broker = new TimedBroker(config);
    await broker.#backbone.start(broker.#messaging.receiver);
    broker.#registry.start();
    await broker.#messaging.start();
    broker.#server.listen(0, '127.0.0.1');
    await once(broker.#server, 'listening');
    return broker;
  }

  get mqtt(): Address {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the broker is not started');
    return { host: address.address, port: address.port };
  }

  pass(seconds: number): void {
    this.clock.advance(seconds * 1000);
  }

  async stop(): Promise<void> {
    this.#server.close();
    await this.#registry.drain(1000);
    await this.#messaging.stop();
    await this.#backbone.stop();
  }
}
