import { connect, type Socket } from 'node:net';
import type { Dialect } from './dialect.ts';

/** All sockets read into this one buffer, one after the other: it stays in the processor's cache. */
const READ = 256 * 1024;
/** Room before what is read, for the beginning of a packet that the read before ended with. */
const CARRY = 4096;
const shared = Buffer.alloc(CARRY + READ);
const view = new DataView(shared.buffer, shared.byteOffset, shared.length);

/** Milliseconds for the answer to CONNECT or SUBSCRIBE. */
const ANSWER = 20_000;

/** A connection of the load generator, and what it counts. */
export class Peer {
  readonly name: string;
  /** For each publisher the sequence number expected next, or -1 when nothing of it may arrive here. */
  readonly expected: number[] = [];
  received = 0;
  lost = 0;
  /** Arrived again, or after a later one. */
  repeated = 0;
  /** Not as it was sent, or not for this subscriber. */
  corrupt = 0;
  /** PUBACKs for what this peer published. */
  acknowledged = 0;
  /** Called once for every read, when all packets in it are counted. */
  onRead: () => void = () => {};
  onDrain: () => void = () => {};
  onFailure: (error: Error) => void = () => {};

  readonly #socket: Socket;
  readonly #dialect: Dialect;
  readonly #carried = Buffer.alloc(CARRY);
  #carry = 0;
  /** Acknowledgements to send when the read is done. */
  #acks = Buffer.allocUnsafe(64 * 1024);
  #ackBytes = 0;
  #answer: ((refusal: string | undefined) => void) | undefined;
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

  /** Sends CONNECT or SUBSCRIBE and waits for the answer. */
  ask(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (refusal: string | undefined): void => {
        clearTimeout(timer);
        this.#answer = undefined;
        if (refusal === undefined) resolve();
        else reject(new Error(`${this.name}: ${refusal}`));
      };
      const timer = setTimeout(() => done(`no answer within ${ANSWER / 1000} s`), ANSWER);
      this.#answer = done;
      this.#socket.write(bytes);
    });
  }

  /** True when the kernel has taken all that was sent. */
  get drained(): boolean {
    return this.#socket.writableLength === 0;
  }

  send(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  close(): void {
    this.#closing = true;
    this.#socket.destroy();
  }

  /** A message was scanned. */
  arrived(publisher: number, sequence: number): void {
    const expected = this.expected[publisher] ?? -1;
    if (sequence === expected) {
      this.expected[publisher] = sequence + 1;
      this.received++;
    } else if (expected < 0) {
      this.corrupt++;
    } else if (sequence > expected) {
      this.lost += sequence - expected;
      this.expected[publisher] = sequence + 1;
      this.received++;
    } else {
      this.repeated++;
    }
  }

  /** A message was scanned that is to be acknowledged: room for so many bytes, from the offset that is returned on. */
  reserve(bytes: number): { readonly buffer: Buffer; readonly at: number } {
    if (this.#ackBytes + bytes > this.#acks.length) {
      const grown = Buffer.allocUnsafe(this.#acks.length * 2 + bytes);
      this.#acks.copy(grown, 0, 0, this.#ackBytes);
      this.#acks = grown;
    }
    const at = this.#ackBytes;
    this.#ackBytes += bytes;
    return { buffer: this.#acks, at };
  }

  /** Whether CONNECT or SUBSCRIBE waits for its answer. */
  get asking(): boolean {
    return this.#answer !== undefined;
  }

  /** An answer was scanned; undefined is consent. */
  control(refusal: string | undefined): void {
    if (this.#answer !== undefined) this.#answer(refusal);
    else this.#fail(refusal ?? 'an answer to nothing');
  }

  #read(bytes: number): boolean {
    const from = CARRY - this.#carry;
    const to = CARRY + bytes;
    this.#carried.copy(shared, from, 0, this.#carry);
    const rest = this.#dialect.scan(view, from, to, this);
    this.#carry = to - rest;
    if (this.#carry > CARRY) this.#fail(`a packet of more than ${CARRY} bytes`);
    else shared.copy(this.#carried, 0, rest, to);
    if (this.#ackBytes > 0) {
      this.#socket.write(Uint8Array.prototype.slice.call(this.#acks, 0, this.#ackBytes));
      this.#ackBytes = 0;
    }
    this.onRead();
    return true;
  }

  #fail(reason: string): void {
    if (this.#closing) return;
    this.close();
    if (this.#answer !== undefined) this.#answer(reason);
    else this.onFailure(new Error(`${this.name}: ${reason}`));
  }
}
