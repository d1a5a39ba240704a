import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { NatsServer } from '../support/nats-server.ts';
import { requireTool } from '../support/tools.ts';
import { keeps, Promises, seeded } from './support/promises.ts';

/** The promises while what the gateway stands on fails: a NATS server of three, or the way to it. */

const ROUNDS = Number(process.argv[2] ?? 5);
const SEED = Number(process.argv[3] ?? Date.now() % 1_000_000);

const test = suite('fault/nats killed');
let servers: NatsServer[] = [];
let gateway: BrokerProcess | undefined;
let way: Way | undefined;

test.after.each(async () => {
  await gateway?.kill();
  gateway = undefined;
  way?.close();
  way = undefined;
  await Promise.all(servers.splice(0).map((each) => each.remove()));
});

/** A way to a server that can be cut: its connections are dropped, and new ones refused for a while. */
class Way {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #open = true;

  private constructor(port: number) {
    this.#server = createServer((near) => {
      if (!this.#open) {
        near.destroy();
        return;
      }
      const far = dial(port, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.pipe(to);
        from.on('error', () => to.destroy());
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
  }

  static async to(port: number): Promise<Way> {
    const made = new Way(port);
    await new Promise<void>((resolve) => made.#server.listen(0, '127.0.0.1', resolve));
    return made;
  }

  get url(): string {
    const address = this.#server.address();
    return `nats://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  }

  cut(): void {
    this.#open = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#open = true;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

requireTool(test, 'nats-server', `one of three servers killed ${ROUNDS} times, seed ${SEED}`, async (program) => {
  const random = seeded(SEED);
  servers = await NatsServer.cluster(program);
  const settings = [
    'backbone.type=nats',
    `backbone.nats.servers=${servers.map(({ url }) => url).join(',')}`,
    'backbone.nats.replicas=3',
  ];
  // The servers have to choose a leader before they can keep anything.
  const started = await eventually(
    'the gateway',
    () => startBrokerProcess(...settings).catch(() => false as const),
    30_000,
  );
  gateway = started;
  const promises = new Promises(() => started.mqtt, random);
  await promises.start();
  for (let round = 0; round < ROUNDS; round++) {
    await promises.stir(1000 + random() * 1000);
    const victim = servers[Math.floor(random() * servers.length)];
    await victim?.end('SIGKILL');
    await promises.stir(1000 + random() * 1000);
    await victim?.start();
    // The next one goes when this one is one of three again.
    await sleep(3000);
  }
  keeps(`a NATS server of three, killed ${ROUNDS} times`, await promises.finish(), ROUNDS * 50);
});

requireTool(test, 'nats-server', `the way to NATS cut ${2 * ROUNDS} times, seed ${SEED}`, async (program) => {
  const random = seeded(SEED);
  const server = await NatsServer.start(program);
  servers = [server];
  const cut = await Way.to(server.port);
  way = cut;
  const started = await startBrokerProcess('backbone.type=nats', `backbone.nats.servers=${cut.url}`);
  gateway = started;
  const promises = new Promises(() => started.mqtt, random);
  await promises.start();
  for (let round = 0; round < 2 * ROUNDS; round++) {
    await promises.stir(300 + random() * 1000);
    cut.cut();
    await promises.stir(random() * 1000);
    cut.mend();
  }
  keeps(`the way to NATS, cut ${2 * ROUNDS} times`, await promises.finish(), ROUNDS * 50);
});

test.run();
