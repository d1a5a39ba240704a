import * as assert from 'uvu/assert';
import type { Packet, RawMqtt } from '../../support/mqtt-client.ts';
import type { Qos, Seen } from './mqtt-model.ts';

/** How a client answers: at once; not at all; or QoS 2 by half, PUBREC without PUBCOMP. */
export type Manner = 'prompt' | 'silent' | 'half';

interface Open {
  readonly message: Seen;
  /** PUBREC was sent. */
  readonly released: boolean;
}

/** What a client has not settled, by packet identifier, in the order in which it is to come again. */
export type Opened = Map<number, Open>;

/** One connection of a client that keeps its half of the exchanges, in the manner it is told. */
export class Party {
  manner: Manner = 'prompt';
  readonly #client: RawMqtt;
  readonly #opened: Opened;
  readonly #answers: Packet[] = [];
  readonly #seen: Seen[] = [];
  /** PUBRECs without their PUBREL. */
  #unreleased = 0;

  constructor(client: RawMqtt, opened: Opened) {
    this.#client = client;
    this.#opened = opened;
  }

  send(packet: Packet): void {
    this.#client.send(packet);
  }

  async #step(): Promise<void> {
    const packet = await this.#client.next();
    if (packet.cmd === 'publish') this.#publish(packet);
    else if (packet.cmd === 'pubrel') this.#pubrel(packet.messageId ?? 0);
    else this.#answers.push(packet);
  }

  #publish({ topic, payload, retain, dup, qos, messageId = 0 }: Extract<Packet, { cmd: 'publish' }>): void {
    assert.not(dup, 'sent for the first time');
    const message = { topic, payload: payload.toString(), qos, retain };
    this.#seen.push(message);
    if (qos === 0) return;
    assert.not(this.#opened.has(messageId), 'an identifier is in flight once');
    this.#opened.set(messageId, { message, released: false });
    this.#acknowledge(messageId, qos);
  }

  #acknowledge(messageId: number, qos: Qos): void {
    if (this.manner === 'silent') return;
    if (qos === 1) {
      this.#opened.delete(messageId);
      this.send({ cmd: 'puback', messageId });
    } else {
      const open = this.#opened.get(messageId);
      if (open === undefined) throw new Error('unreachable');
      // PUBRELs come again in the order of PUBRECs.
      this.#opened.delete(messageId);
      this.#opened.set(messageId, { ...open, released: true });
      this.#unreleased++;
      this.send({ cmd: 'pubrec', messageId });
    }
  }

  #pubrel(messageId: number): void {
    assert.ok(this.#opened.get(messageId)?.released, `PUBREL of ${messageId}`);
    this.#unreleased--;
    if (this.manner !== 'prompt') return;
    this.#opened.delete(messageId);
    this.send({ cmd: 'pubcomp', messageId });
  }

  /** What an earlier connection left comes again: PUBRELs, and PUBLISHes with DUP, each in their order. */
  async again(): Promise<void> {
    const expected = [...this.#opened].map(([id, { message, released }]) =>
      released ? `rel ${id}` : `${id} ${message.topic} ${message.payload} ${message.qos} ${message.retain}`,
    );
    const seen: string[] = [];
    while (seen.length < expected.length) {
      const packet = await this.#client.next();
      if (packet.cmd === 'pubrel') seen.push(`rel ${packet.messageId}`);
      else if (packet.cmd === 'publish' && packet.dup)
        seen.push(`${packet.messageId} ${packet.topic} ${packet.payload} ${packet.qos} ${packet.retain}`);
      else throw new Error(`${JSON.stringify(packet)} before ${expected.slice(seen.length)}`);
    }
    const [rel, rest] = [true, false].map((of) => (each: string) => each.startsWith('rel') === of);
    if (rel === undefined || rest === undefined) throw new Error('unreachable');
    assert.equal(seen.filter(rel), expected.filter(rel));
    assert.equal(seen.filter(rest), expected.filter(rest));
  }

  /** Answers at once from now on, also all that is open. */
  async settle(): Promise<void> {
    this.manner = 'prompt';
    for (const [messageId, { message, released }] of [...this.#opened]) {
      if (!released) this.#acknowledge(messageId, message.qos);
      else {
        this.#opened.delete(messageId);
        this.send({ cmd: 'pubcomp', messageId });
      }
    }
    while (this.#opened.size > 0) await this.#step();
  }

  /** The next packet that is no message to the client, which must be of this kind. */
  async answer(cmd: Packet['cmd']): Promise<Packet> {
    while (this.#answers.length === 0) await this.#step();
    const [answer] = this.#answers.splice(0, 1);
    assert.is(answer?.cmd, cmd);
    if (answer === undefined) throw new Error('unreachable');
    return answer;
  }

  /** So many messages and no more; what is to be settled is. */
  async messages(count: number): Promise<Seen[]> {
    while (this.#seen.length < count || this.#unreleased > 0) await this.#step();
    this.send({ cmd: 'pingreq' });
    await this.answer('pingresp');
    return this.#seen.splice(0);
  }

  async end(): Promise<void> {
    await this.#client.end();
  }

  destroy(): void {
    this.#client.destroy();
  }
}
