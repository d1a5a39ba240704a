import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import type { BrokerExtras } from '../../../../src/broker.ts';
import type { ConfigInput } from '../../../../src/config/load.ts';
import { startBroker, type TestBroker } from '../../../support/broker.ts';
import { type Bytes, type Connect, pingreq, subscribe } from '../../../support/mqtt-bytes.ts';
import { Peer, TCP, type Way } from './peer.ts';
import type { Received } from './strict.ts';

/** A broker for the tests of a file, and clients that are gone after each of them. */
export class Bench {
  readonly #config: ConfigInput;
  readonly #extras: BrokerExtras;
  #server: TestBroker | undefined;
  readonly #peers: Peer[] = [];

  constructor(config: ConfigInput = {}, extras: BrokerExtras = {}) {
    this.#config = config;
    this.#extras = extras;
  }

  get server(): TestBroker {
    if (this.#server === undefined) throw new Error('the broker is not started');
    return this.#server;
  }

  async start(): Promise<void> {
    this.#server = await startBroker(this.#config, this.#extras);
  }

  async stop(): Promise<void> {
    this.leave();
    await this.#server?.broker.stop();
  }

  leave(): void {
    for (const each of this.#peers.splice(0)) each.destroy();
  }

  async open(way: Way = TCP): Promise<Peer> {
    const peer = await Peer.open(this.server, way);
    this.#peers.push(peer);
    return peer;
  }

  async connect(fields: Connect = {}, way: Way = TCP): Promise<Peer & { connack: Received }> {
    const peer = await Peer.connect(this.server, fields, way);
    this.#peers.push(peer);
    return peer;
  }

  /** A client with these subscriptions, each filter with its options byte; SUBACK is taken. */
  async subscriber(...filters: readonly (readonly [filter: string, options: number])[]): Promise<Peer> {
    const peer = await this.connect();
    await peer.send(subscribe(1, filters));
    await peer.expect(9);
    return peer;
  }

  /** What a new subscription gets of retained messages. */
  async retained(filter: string): Promise<Received[]> {
    const peer = await this.subscriber([filter, 0]);
    const packets = await peer.flush();
    peer.destroy();
    return packets;
  }

  /** A TCP connection whose answer is bytes, of whatever version. */
  async raw(): Promise<{ write(bytes: Buffer): void; end(): Promise<Buffer> }> {
    const { host, port } = this.server.mqtt;
    const socket = connectTcp(port, host);
    await once(socket, 'connect');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    const closed = once(socket, 'close');
    return {
      write: (bytes) => void socket.write(bytes),
      end: async () => {
        await closed;
        return Buffer.concat(chunks);
      },
    };
  }

  /** A connection of its own sends `first`: nothing or a refusal comes back, then the close. 0: no CONNACK at all. */
  async refusal(first: Bytes, way: Way = TCP): Promise<number> {
    const peer = await this.open(way);
    await peer.send(first);
    const packets = await peer.end();
    if (packets.length > 1 || (packets[0] !== undefined && packets[0].type !== 2))
      throw new Error(`expected CONNACK or nothing, got ${JSON.stringify(packets)}`);
    const reason = packets[0]?.reasons[0];
    if (reason === 0) throw new Error('CONNECT was accepted');
    return reason ?? 0;
  }

  /** After an accepted CONNECT: what is sent ends the connection, with this reason in DISCONNECT. */
  async fault(bytes: Bytes, way: Way = TCP, fields: Connect = {}): Promise<number> {
    const peer = await this.connect(fields, way);
    // What follows a fault must not be looked at.
    await peer.send(bytes, pingreq());
    const packets = await peer.end();
    const [first] = packets;
    if (packets.length !== 1 || first?.type !== 14)
      throw new Error(`expected DISCONNECT alone, got ${JSON.stringify(packets)}`);
    return first.reasons[0] ?? 0;
  }

  /** After an accepted CONNECT: the connection goes on; what comes back to it. */
  async taken(bytes: Bytes, way: Way = TCP, fields: Connect = {}): Promise<Received[]> {
    const peer = await this.connect(fields, way);
    await peer.send(bytes);
    const packets = await peer.flush();
    peer.destroy();
    return packets;
  }
}
