import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Address } from '../../../src/broker.ts';

type Direction = 'toBroker' | 'toClient';

/** Stands between a client and the broker: notes when something goes each way, and can cut the line. */
export class Tap {
  /** When each piece came, milliseconds. */
  readonly times: Record<Direction, number[]> = { toBroker: [], toClient: [] };
  /** How many connections there have been. */
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open({ host, port }: Address): Promise<Tap> {
    const server = createServer();
    const tap = new Tap(server);
    server.on('connection', (client) => tap.#join(client, connect(port, host)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return tap;
  }

  get address(): Address {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the tap is closed');
    return { host: '127.0.0.1', port: address.port };
  }

  /** The longest silence in one direction since `start`, milliseconds. */
  silence(direction: Direction, start: number): number {
    const times = [start, ...this.times[direction].filter((time) => time > start), performance.now()];
    return Math.max(...times.slice(1).map((time, i) => time - (times[i] ?? time)));
  }

  /** Cuts all that is connected; new connections are taken. */
  cut(): void {
    for (const each of this.#sockets) each.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #join(client: Socket, broker: Socket): void {
    this.connections++;
    this.#pass(client, broker, this.times.toBroker);
    this.#pass(broker, client, this.times.toClient);
  }

  #pass(from: Socket, to: Socket, times: number[]): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on('data', (chunk) => {
      times.push(performance.now());
      to.write(chunk);
    });
    from.on('end', () => to.end());
    from.on('error', () => {});
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
