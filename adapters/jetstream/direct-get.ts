import { createInbox, type Msg } from 'nats';
import { BrokerError } from '../../src/core/errors.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { API, ApiError, record, text } from './api.ts';
import { ANSWER, type Connection } from './connection.ts';
import { headerValue } from './headers.ts';
import { raw } from './raw.ts';

/** A message as the server keeps it. */
export interface Stored {
  readonly subject: string;
  readonly sequence: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Header block, with the server's headers among ours, and payload. */
  readonly bytes: Uint8Array;
  readonly headerBytes: number;
}

export interface Portion {
  readonly messages: readonly Stored[];
  /** How many more the server, or the replica of it that answered, has. */
  readonly left: number;
  /** Whether there are none. */
  readonly all: boolean;
}

/** Batched direct reads of a stream (ADR-31): many messages for one request, from any of its replicas. */
export class DirectGet {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #stream: string;

  constructor(connection: Connection, clock: Clock, stream: string) {
    this.#connection = connection;
    this.#clock = clock;
    this.#stream = stream;
  }

  /** From `sequence` on, those whose subject is in `subject`. */
  async portion(sequence: number, subject: string, count: number, bytes: number): Promise<Portion> {
    const connection = this.#connection;
    if (!connection.up) throw new BrokerError('unavailable', connection.away);
    const { losses } = connection;
    const messages: Stored[] = [];
    const inbox = createInbox();
    let heard = this.#clock.now();
    let finish = (_portion: Portion): void => {};
    let fail = (_error: BrokerError): void => {};
    const done = new Promise<Portion>((resolve, reject) => {
      finish = resolve;
      fail = reject;
    });
    const subscription = connection.subscribe(inbox, (message) => {
      heard = this.#clock.now();
      const stored = read(message);
      if (stored !== undefined) messages.push(stored);
      else {
        const { headers } = message;
        const code = headers?.code ?? 0;
        // The last one says how many are left.
        if (code === 204) {
          const left = Number(headers?.get('Nats-Num-Pending') ?? 0);
          finish({ messages, left, all: left === 0 });
        } else if (code === 404) finish({ messages, left: 0, all: true });
        else fail(new BrokerError('unavailable', `NATS could not read: ${code} ${headers?.description ?? ''}`));
      }
    });
    let timer = this.#clock.schedule(ANSWER, () => {});
    const look = (): void => {
      timer = this.#clock.schedule(ANSWER / 4, () => {
        if (losses !== connection.losses) fail(new BrokerError('unavailable', connection.away ?? 'NATS was away'));
        else if (this.#clock.now() - heard > ANSWER) fail(new BrokerError('unavailable', 'NATS did not answer a read'));
        else look();
      });
    };
    timer.cancel();
    look();
    try {
      const request = { seq: sequence, next_by_subj: subject, batch: count, max_bytes: bytes };
      connection.nats.publish(`$JS.API.DIRECT.GET.${this.#stream}`, JSON.stringify(request), { reply: inbox });
      return await done;
    } finally {
      timer.cancel();
      subscription.unsubscribe();
    }
  }

  /** Whether the stream has more from `sequence` on; asks its leader, because another replica may be behind. */
  async more(sequence: number, subject: string): Promise<boolean> {
    try {
      const request = { seq: sequence, next_by_subj: subject };
      const answer = await this.#connection.ask(`$JS.API.STREAM.MSG.GET.${this.#stream}`, request);
      return text(record(answer.message).subject) !== '';
    } catch (error) {
      if (error instanceof ApiError && error.apiCode === API.noMessage) return false;
      throw error;
    }
  }
}

/** Undefined for what is no message but says something about the read. */
function read(message: Msg): Stored | undefined {
  const { bytes, headerBytes } = raw(message);
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, headerBytes).toString('latin1');
  const subject = headerValue(block, 'Nats-Subject');
  const sequence = Number(headerValue(block, 'Nats-Sequence'));
  if (subject === undefined || !Number.isSafeInteger(sequence)) return undefined;
  const time = Date.parse(headerValue(block, 'Nats-Time-Stamp') ?? '');
  return { subject, sequence, time: Number.isNaN(time) ? 0 : time, bytes, headerBytes };
}
