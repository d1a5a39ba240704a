import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'uvu';
import { type BrokerProcess, startBrokerProcess } from '../../support/broker-process.ts';
import { NatsServer } from '../../support/nats-server.ts';
import { requireTool } from '../../support/tools.ts';

/** Gateways of one kind, of which one after the other is killed and started again. */
export class Gateways {
  readonly #settings: readonly string[];
  readonly #random: () => number;
  readonly #gateways: BrokerProcess[] = [];

  private constructor(settings: readonly string[], random: () => number) {
    this.#settings = settings;
    this.#random = random;
  }

  static async start(settings: readonly string[], count: number, random: () => number): Promise<Gateways> {
    const all = new Gateways(settings, random);
    for (let i = 0; i < count; i++) all.#gateways.push(await startBrokerProcess(...settings));
    return all;
  }

  /** Any of them. */
  any(): BrokerProcess | undefined {
    return this.#gateways[this.#pick()];
  }

  /** `between`: when the one is gone and not there again. */
  async killOne(between: () => void = () => {}): Promise<void> {
    const victim = this.#pick();
    await this.#gateways[victim]?.kill();
    between();
    this.#gateways[victim] = await startBrokerProcess(...this.#settings);
  }

  async end(): Promise<void> {
    await Promise.all(this.#gateways.splice(0).map((each) => each.kill()));
  }

  #pick(): number {
    return Math.floor(this.#random() * this.#gateways.length);
  }
}

export type Scene = (title: string, settings: readonly string[], count: number) => Promise<void>;

/** The same for one gateway with the embedded store, and for two on NATS. */
export function onBothBackbones(test: Test, what: string, scene: Scene): void {
  onEmbedded(test, what, scene);
  onNats(test, what, scene);
}

export function onEmbedded(test: Test, what: string, scene: Scene): void {
  const directory = mkdtempSync(join(tmpdir(), 'trimaran-killed-'));
  test.after(() => rmSync(directory, { recursive: true, force: true }));
  test(`embedded: ${what}`, () =>
    scene('embedded', ['backbone.type=embedded', `backbone.embedded.directory=${directory}`], 1));
}

export function onNats(test: Test, what: string, scene: Scene): void {
  requireTool(test, 'nats-server', `two on NATS: ${what}`, async (program) => {
    const nats = await NatsServer.start(program);
    try {
      await scene('two on NATS', natsSettings(nats), 2);
    } finally {
      await nats.remove();
    }
  });
}

/** A NATS server of each test's own, and gateways on it that are killed at its end. */
export class NatsGateways {
  readonly #gateways: BrokerProcess[] = [];
  #nats: NatsServer | undefined;

  constructor(test: Test) {
    test.after.each(async () => {
      await Promise.all(this.#gateways.splice(0).map((each) => each.kill()));
      await this.#nats?.remove();
      this.#nats = undefined;
    });
  }

  /** One more. `program`: nats-server. */
  async start(program: string): Promise<BrokerProcess> {
    this.#nats ??= await NatsServer.start(program);
    const gateway = await startBrokerProcess(...natsSettings(this.#nats));
    this.#gateways.push(gateway);
    return gateway;
  }
}

function natsSettings(nats: NatsServer): readonly string[] {
  return ['backbone.type=nats', `backbone.nats.servers=${nats.url}`, 'backbone.nats.leaseSeconds=2'];
}
