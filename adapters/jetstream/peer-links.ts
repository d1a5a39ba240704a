import type { Msg, Subscription } from 'nats';
import type { Clock, Timer } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/routing.ts';
import type { Connection } from './connection.ts';
import { raw } from './raw.ts';

/** A frame: its kind, of these bits; its number among those to the same node; bytes. */
const MORE = 1;
const CONTINUES = 2;
/** Carries nothing, but says how many frames there were before. */
const COUNT = 4;
const HEAD = 5;
/** Numbers are of 32 bits. */
const NUMBERS = 2 ** 32;
/** Milliseconds between counts, by which the loss of the last frames is noticed. */
const INTERVAL = 2_000;

interface Incoming {
  /** Number of the next frame. */
  next: number;
  parts: Uint8Array[];
  size: number;
}

export interface PeerReceiver {
  alive(node: string): boolean;
  received(node: string, bytes: Uint8Array): void;
  interrupted(): void;
}

/**
 * Bytes from node to node, by NATS's own publish and subscribe, which keeps their order but may lose some: when a connection or
 * a route between servers breaks. So frames are numbered. What a server takes at most is no limit here.
 */
export class PeerLinks {
  readonly #prefix: string;
  readonly #node: string;
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #receiver: PeerReceiver;
  /** Bytes of a message that comes in parts. */
  readonly #limit: number;
  /** Frames sent, by node. */
  readonly #sent = new Map<string, number>();
  readonly #incoming = new Map<string, Incoming>();
  #subscription: Subscription | undefined;
  #timer: Timer | undefined;

  constructor(
    options: { readonly prefix: string; readonly pendingBytes: number },
    node: string,
    connection: Connection,
    clock: Clock,
    logger: Logger,
    receiver: PeerReceiver,
  ) {
    this.#prefix = `${options.prefix}.node.`;
    this.#limit = options.pendingBytes;
    this.#node = node;
    this.#connection = connection;
    this.#clock = clock;
    this.#logger = logger;
    this.#receiver = receiver;
    connection.listen({
      up: () => {
        if (this.#subscription !== undefined) this.#receiver.interrupted();
      },
      down: () => {},
    });
  }

  start(): void {
    this.#subscription = this.#connection.subscribe(`${this.#prefix}${this.#node}.peer.*`, (message) =>
      this.#message(message),
    );
    this.#tick();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
  }

  /** The node is lost. */
  forget(node: string): void {
    this.#sent.delete(node);
    this.#incoming.delete(node);
  }

  /** What is sent while NATS is away is lost; the numbers say so to the other node, and `interrupted` to this one. */
  send(node: string, bytes: Uint8Array): void {
    const most = this.#connection.maxPayload - HEAD;
    let at = 0;
    for (; bytes.length - at > most; at += most) {
      this.#frame(node, at === 0 ? MORE : MORE | CONTINUES, bytes.subarray(at, at + most));
    }
    this.#frame(node, at === 0 ? 0 : CONTINUES, bytes.subarray(at));
  }

  #frame(node: string, kind: number, bytes: Uint8Array): void {
    const number = this.#sent.get(node) ?? 0;
    if (kind !== COUNT) this.#sent.set(node, (number + 1) % NUMBERS);
    if (!this.#connection.up) return;
    const frame = Buffer.allocUnsafe(HEAD + bytes.length);
    frame[0] = kind;
    frame.writeUInt32BE(number, 1);
    frame.set(bytes, HEAD);
    this.#connection.nats.publish(`${this.#prefix}${node}.peer.${this.#node}`, frame);
  }

  #message(message: Msg): void {
    const node = message.subject.slice(message.subject.lastIndexOf('.') + 1);
    const { bytes, headerBytes } = raw(message);
    // Not of a broker: nothing else is shorter, or has headers.
    if (headerBytes > 0 || bytes.length < HEAD) return;
    const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const incoming = this.#from(node, frame.readUInt32BE(1));
    const kind = frame[0] ?? COUNT;
    if (kind >= COUNT) return;
    incoming.next = (incoming.next + 1) % NUMBERS;
    const continues = (kind & CONTINUES) !== 0;
    // Its beginning was lost.
    if (continues !== incoming.size > 0) return;
    const payload = bytes.subarray(HEAD);
    if ((kind & MORE) !== 0) this.#part(incoming, payload);
    else if (continues) {
      const whole = Buffer.concat([...incoming.parts, payload]);
      incoming.parts = [];
      incoming.size = 0;
      this.#receiver.received(node, whole);
    } else this.#receiver.received(node, payload);
  }

  /** Where the frames of a node stand; `interrupted` when there are some missing before this one. */
  #from(node: string, number: number): Incoming {
    const known = this.#incoming.get(node);
    if (known?.next === number) return known;
    const incoming = { next: number, parts: [], size: 0 };
    this.#incoming.set(node, incoming);
    if (known !== undefined || number !== 0) {
      this.#logger.warn({ node }, 'Something that another broker sent to this one was lost');
      this.#receiver.interrupted();
    }
    return incoming;
  }

  #part(incoming: Incoming, payload: Uint8Array): void {
    incoming.parts.push(payload);
    incoming.size += payload.length;
    if (incoming.size <= this.#limit) return;
    // With a number that no frame has, the next one says that something is lost.
    incoming.parts = [];
    incoming.size = 0;
    incoming.next = -1;
  }

  #tick(): void {
    this.#timer = this.#clock.schedule(INTERVAL, () => {
      for (const node of [...this.#sent.keys(), ...this.#incoming.keys()]) {
        if (!this.#receiver.alive(node)) this.forget(node);
      }
      for (const node of this.#sent.keys()) this.#frame(node, COUNT, new Uint8Array(0));
      this.#tick();
    });
  }
}
