const DOT = 0x2e;
const ZERO = 0x30;

/** What the server says of a message that it gives to a consumer, in its reply subject; until the next one comes. */
export interface Arrival {
  /** Times it was given, this one included. */
  readonly delivered: number;
  /** Sequence in the stream. */
  readonly id: number;
  /** The consumer's own number of this delivery. */
  readonly consumed: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Messages for this consumer that were never given. */
  readonly pending: number;
}

/**
 * Subjects on which messages of a consumer are acknowledged: `$JS.ACK.<stream>.<consumer>.` or, with domains,
 * `$JS.ACK.<domain>.<account>.<stream>.<consumer>.`, and five numbers, then in the longer form one more token. The server goes by the
 * sequence in the stream, and wants a delivery number that it has given; so a subject is made from these two.
 */
export class AckReplies implements Arrival {
  delivered = 0;
  id = 0;
  consumed = 0;
  time = 0;
  pending = 0;
  #start: string;
  #startBytes = 0;
  #end = '.0.0';
  #at = 0;

  constructor(stream: string, consumer: string) {
    this.#start = `$JS.ACK.${stream}.${consumer}.1.`;
  }

  subject(id: number, consumed: number): string {
    return `${this.#start}${id}.${consumed}${this.#end}`;
  }

  read(reply: Uint8Array): void {
    if (this.#startBytes === 0) this.#learn(reply);
    this.#at = this.#startBytes;
    this.delivered = this.#number(reply);
    this.id = this.#number(reply);
    this.consumed = this.#number(reply);
    // Nanoseconds are more than a number holds exactly; milliseconds are not.
    this.time = Math.floor(this.#number(reply) / 1e6);
    this.pending = this.#number(reply);
  }

  #number(reply: Uint8Array): number {
    let value = 0;
    let at = this.#at;
    for (; at < reply.length && reply[at] !== DOT; at++) value = value * 10 + ((reply[at] ?? 0) - ZERO);
    this.#at = at + 1;
    return value;
  }

  #learn(reply: Uint8Array): void {
    const tokens = Buffer.from(reply).toString('latin1').split('.');
    const before = tokens.length <= 9 ? 4 : 6;
    const start = `${tokens.slice(0, before).join('.')}.`;
    this.#startBytes = start.length;
    this.#start = `${start}1.`;
    this.#end = tokens.length <= 9 ? '.0.0' : '.0.0.0';
  }
}
