import { connect, type Socket } from 'node:net';
import type { Dialect } from './dialect.ts';

/** All sockets read into this one buffer, one after the other: it stays in the processor's cache. */
const READ = 256 * 1024;
/** Room before what is read, for the beginning of a packet that the read before ended with. */
const CARRY = 4096;
const shared = Buffer.alloc(CARRY + READ);
const view = new DataView(shared.buffer, shared.byteOffset, shared.length);

/** A connection of the load generator, and what it counts. */
export class Peer {
  readonly name: string;
  readonly #socket: Socket;
  readonly #dialect: Dialect;
  /** Called once for every read, when all packets in it are counted. */
  onRead: () => void = () => {};
  onDrain: () => void = () => {};
  onFailure: (error: Error) => void = () => {};

  received = 0;
  lost = 0;
  /** Arrived again, or after a later one. */
  repeated = 0;
  corrupt = 0;
  /** PUBACKs for what this peer published. */
  acknowledged = 0;
  /** For each publisher it listens to: the sequence number expected next. */
  readonly expected = new Map<number, number>();
  /** The same for the publisher that was heard last: most reads are from one. */
  #expected: number[] = [];

  #carry = 0;
  readonly #carried = Buffer.alloc(CARRY);
  #acks = Buffer.alloc(4 * 1024);
  #acksEnd = 0;
  readonly #controls: ((refusal: string | undefined) => void)[] = [];
  #closing = false;

  constructor(name: string, port: number, dialect: Dialect) {
    this.name = name;
    this.#dialect = dialect;
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: { buffer: shared.subarray(CARRY), callback: (bytes) => this.#read(bytes) },
    });
    this.#socket.on('drain', () => this.onDrain());
    this.#socket.on('error', (error) => this.#fail(error.message));
    this.#socket.on('close', () => this.#fail('the broker closed the connection'));
  }
}
