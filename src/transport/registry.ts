import type { Counters } from '../core/counters.ts';
import { pause } from '../core/pause.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Limits } from '../ports/limits.ts';
import type { Protocol } from '../ports/protocol.ts';
import type { Logger } from '../ports/routing.ts';
import type { Peer } from '../ports/transport.ts';
import { BatchedConnection, type Carrier } from './connection.ts';
import { Turn } from './turn.ts';

/** How often channels and slow readers are looked at, milliseconds. */
const TICK = 1000;

class SocketPeer implements Peer {
  readonly transport: 'tcp' | 'websocket';
  readonly #address: string;
  readonly #port: number;

  constructor(address: string, port: number, transport: 'tcp' | 'websocket') {
    this.#address = address;
    this.#port = port;
    this.transport = transport;
  }

  /** Made when a log line wants it: 10,000 idle connections would hold as many strings. */
  get name(): string {
    return `${this.#address}:${this.#port}`;
  }

  get loopback(): boolean {
    return isLoopback(this.#address);
  }
}

/** All open connections of a broker: admits them within the limits, ticks them, ends them. */
export class ConnectionRegistry {
  readonly turn: Turn;
  readonly #open = new Set<BatchedConnection>();
  readonly #perAddress = new Map<string, number>();
  readonly #limits: Limits;
  readonly #counters: Counters;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #now: () => number;
  #timer: Timer | undefined;
  #draining = false;

  constructor(limits: Limits, counters: Counters, clock: Clock, logger: Logger) {
    this.#limits = limits;
    this.#counters = counters;
    this.turn = new Turn(counters);
    this.#clock = clock;
    this.#logger = logger;
    this.#now = () => clock.now();
  }

  get size(): number {
    return this.#open.size;
  }

  /** Begins to tick; `drain` ends it. */
  start(): void {
    this.#tick();
  }

  /** Whether one more connection from this address is within the limits. */
  admits(address: string): boolean {
    const admitted =
      !this.#draining &&
      this.#open.size < this.#limits.connections &&
      (this.#perAddress.get(address) ?? 0) < this.#limits.connectionsPerAddress;
    if (!admitted) {
      this.#counters.connectionsRefused++;
      this.#logger.warn({ address, open: this.#open.size }, 'connection refused: a limit on connections is reached');
    }
    return admitted;
  }

  /** Begins a channel of the protocol on a new connection. */
  open(protocol: Protocol, carrier: Carrier, address: string, port: number): BatchedConnection {
    const peer = new SocketPeer(address, port, carrier.framing === 'none' ? 'tcp' : 'websocket');
    const connection = new BatchedConnection(carrier, peer, this.turn, this.#limits, this.#now);
    this.#open.add(connection);
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    this.#counters.connections++;
    this.#counters.connectionsTotal++;
    connection.channel = protocol.open(connection);
    return connection;
  }

  /** Bytes have come from a peer: on a WebSocket also what is around its messages. */
  arrived(bytes: number): void {
    this.#counters.bytesReceived += bytes;
  }

  /** Hands bytes to the channel. An error in it is ours, not the peer's: it costs this connection, not the process. */
  receive(connection: BatchedConnection, chunk: Buffer): void {
    try {
      connection.receive(chunk);
    } catch (error) {
      this.#logger.error({ err: error, peer: connection.peer.name }, 'internal error while handling a frame');
      connection.channel?.shutdown('internal');
    }
  }

  closed(connection: BatchedConnection, address: string): void {
    if (!this.#open.delete(connection)) return;
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, left);
    this.#counters.connections--;
    this.#logger.debug({ peer: connection.peer.name, reason: connection.reason || undefined }, 'connection closed');
    connection.closed();
  }

  /** Says goodbye to all and lets them have what is queued; resolves when all are gone, or after `milliseconds`. */
  async drain(milliseconds: number): Promise<void> {
    this.#draining = true;
    this.turn.flush();
    for (const connection of this.#open) connection.channel?.shutdown('shutdown');
    const deadline = this.#clock.now() + milliseconds;
    while (this.#open.size > 0 && this.#clock.now() < deadline) {
      await pause(this.#clock, 10);
    }
    if (this.#open.size > 0) {
      this.#logger.warn({ connections: this.#open.size }, 'connections that did not close in time were cut');
      for (const connection of this.#open) connection.destroy();
    }
    this.#timer?.cancel();
  }

  #tick(): void {
    const now = this.#clock.now();
    this.turn.trim();
    for (const connection of this.#open) {
      try {
        connection.tick(now);
      } catch (error) {
        this.#logger.error({ err: error, peer: connection.peer.name }, 'internal error while checking a connection');
        connection.destroy();
      }
    }
    this.#timer = this.#clock.schedule(TICK, () => this.#tick());
  }
}

/** 127.0.0.0/8, ::1, and 127.0.0.0/8 mapped into IPv6. */
function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address);
}
