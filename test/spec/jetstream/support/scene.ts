import { connect, type NatsConnection } from 'nats';
import type { Test } from 'uvu';
import type { JetStreamOptions } from '../../../../adapters/jetstream/index.ts';
import { jetStreamOptions } from '../../../support/jetstream.ts';
import { NatsNode } from '../../../support/nats-node.ts';
import { NatsServer } from '../../../support/nats-server.ts';
import { requireTool } from '../../../support/tools.ts';

/** Nodes on one server of NATS for all tests of a file; each test has streams of its own, of this prefix. */
export interface Scene {
  readonly server: NatsServer;
  readonly prefix: string;
  start(count: number, changes?: Partial<JetStreamOptions>): Promise<NatsNode[]>;
  /** Of an application, beside the nodes. */
  connect(): Promise<NatsConnection>;
}

type Scenes<S> = (title: string, body: (scene: S) => Promise<void>) => void;

export function scenes(test: Test, letter: string): Scenes<Scene> {
  let server: NatsServer | undefined;
  let made = 0;
  const nodes: NatsNode[] = [];
  const apps: NatsConnection[] = [];
  test.after.each(async () => {
    for (const app of apps.splice(0)) await app.close();
    for (const { backbone } of nodes.splice(0)) await backbone.stop();
  });
  test.after(() => server?.remove());
  return (title, body) =>
    requireTool(test, 'nats-server', title, async (program) => {
      server ??= await NatsServer.start(program);
      const running = server;
      const prefix = `${letter}${++made}`;
      await body({
        server: running,
        prefix,
        async start(count, changes = {}) {
          const started: NatsNode[] = [];
          while (started.length < count) {
            const node = await NatsNode.start(jetStreamOptions(running, { prefix, ...changes }));
            nodes.push(node);
            started.push(node);
          }
          return started;
        },
        async connect() {
          const app = await connect({ servers: running.url, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
          apps.push(app);
          return app;
        },
      });
    });
}

/** Two nodes and an application. */
export interface Pair extends Scene {
  readonly a: NatsNode;
  readonly b: NatsNode;
  readonly app: NatsConnection;
}

export function pairs(test: Test, letter: string): Scenes<Pair> {
  const scene = scenes(test, letter);
  return (title, body) =>
    scene(title, async (alone) => {
      const [a, b] = await alone.start(2);
      if (a === undefined || b === undefined) throw new Error('a node is missing');
      await body({ ...alone, a, b, app: await alone.connect() });
    });
}
