import type { Address } from '../../../src/broker.ts';
import { header, RawStomp, type StompFrame } from '../../support/stomp-client.ts';

/** What a consumer got, as numbers, and whether it acknowledges each at once. */
export class Work {
  readonly got: number[] = [];
  readonly #client: RawStomp;
  readonly #unsettled: string[] = [];
  #idle = false;

  private constructor(client: RawStomp) {
    this.#client = client;
  }

  /** Consumes, ten at a time. Resolves once it is subscribed. */
  static async begin(address: Address, subscription: Record<string, string>, clientId?: string): Promise<Work> {
    const client = await RawStomp.connect(address, clientId === undefined ? {} : { 'client-id': clientId });
    const ack = { ack: 'client-individual', 'prefetch-count': '10' };
    client.send('SUBSCRIBE', { id: 'w', ...ack, ...subscription, receipt: 'subscribed' });
    const work = new Work(client);
    // Messages may come before the receipt.
    await new Promise<void>((subscribed, failed) => void work.#run(subscribed).catch(failed));
    return work;
  }

  /** From now on nothing is acknowledged. */
  pause(): void {
    this.#idle = true;
  }

  /** Also what came meanwhile. */
  resume(): void {
    this.#idle = false;
    for (const id of this.#unsettled.splice(0)) this.#client.send('ACK', { id });
  }

  end(): void {
    this.#client.destroy();
  }

  async #run(subscribed: () => void): Promise<void> {
    for (;;) {
      // Nothing may come for long.
      const frame = await this.#client.next().catch(() => undefined);
      if (frame?.command === 'RECEIPT') subscribed();
      else if (frame !== undefined) this.#message(frame);
      else if (this.#client.socket.destroyed) throw new Error('the connection is gone');
    }
  }

  #message(frame: StompFrame): void {
    if (frame.command !== 'MESSAGE') throw new Error(`${frame.command} ${JSON.stringify(frame.headers)} ${frame.body}`);
    this.got.push(Number(frame.body));
    const id = header(frame, 'ack') ?? '';
    if (this.#idle) this.#unsettled.push(id);
    else this.#client.send('ACK', { id });
  }
}

/** Sends numbers, a hundred without their receipts at most; calls `confirmed` with each that has its receipt. */
export async function publish(
  address: Address,
  destination: string,
  from: number,
  to: number,
  confirmed: (number: number) => void = () => {},
): Promise<void> {
  const client = await RawStomp.connect(address);
  let next = from;
  for (let answered = from; answered < to; answered++) {
    for (; next < to && next < answered + 100; next++) {
      client.send('SEND', { destination, receipt: `${next}`, persistent: 'true' }, `${next}`);
    }
    confirmed(Number(header(await client.expect('RECEIPT'), 'receipt-id')));
  }
  client.destroy();
}
