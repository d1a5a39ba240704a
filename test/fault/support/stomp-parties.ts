import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '../../../src/broker.ts';
import { header, RawStomp, type StompFrame } from '../../support/stomp-client.ts';

/** Milliseconds until a client tries again to connect. */
const CONNECT_PAUSE = 20;

/** A STOMP client that connects again whenever its connection is gone. */
export abstract class StompParty {
  readonly #address: () => Address;
  protected connection: RawStomp | undefined;
  #over = false;

  constructor(address: () => Address) {
    this.#address = address;
  }

  async run(): Promise<void> {
    while (!this.#over) {
      const connection = await RawStomp.connect(this.#address()).catch(() => undefined);
      if (connection === undefined || this.#over) {
        connection?.destroy();
        await sleep(CONNECT_PAUSE);
        continue;
      }
      this.connection = connection;
      this.connected(connection);
      for (;;) {
        const frame = await connection.next().catch(() => undefined);
        if (frame === undefined) break;
        this.frame(connection, frame);
      }
      connection.destroy();
      this.connection = undefined;
    }
  }

  /** It loses its connection, and makes another. */
  drop(): void {
    this.connection?.destroy();
  }

  stop(): void {
    this.#over = true;
    this.drop();
  }

  protected abstract connected(connection: RawStomp): void;
  protected abstract frame(connection: RawStomp, frame: StompFrame): void;
}

/** Where no one listens. */
export const NOWHERE = { stomp: { host: '127.0.0.1', port: 9 } } as const;

export interface ProducerOptions {
  readonly name: string;
  readonly destination: string;
  /** Messages without their receipt. */
  readonly window: number;
  /** Whether it may go on to new ones. */
  room(): boolean;
  /** Further headers of a message. */
  headers(number: number): Record<string, string>;
}

/**
 * Sends numbers, each again until it has its receipt. Each sending has a body of its own (`NAME NUMBER ATTEMPT`), so that what
 * the broker repeats is told from what a producer does.
 */
export class Producer extends StompParty {
  readonly #options: ProducerOptions;
  /** Not confirmed yet: number and attempts. */
  readonly #open = new Map<number, number>();
  readonly confirmed = new Set<number>();
  sent = 0;
  active = true;

  constructor(address: () => Address, options: ProducerOptions) {
    super(address);
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get open(): number {
    return this.#open.size;
  }

  protected connected(connection: RawStomp): void {
    for (const [number, attempts] of this.#open) this.#send(connection, number, attempts + 1);
    this.#fill(connection);
  }

  protected frame(connection: RawStomp, frame: StompFrame): void {
    if (frame.command !== 'RECEIPT') return;
    const number = Number(header(frame, 'receipt-id'));
    this.#open.delete(number);
    this.confirmed.add(number);
    this.#fill(connection);
  }

  /** Also called when others have made room. */
  fill(): void {
    if (this.connection !== undefined) this.#fill(this.connection);
  }

  #fill(connection: RawStomp): void {
    while (this.active && this.#open.size < this.#options.window && this.#options.room())
      this.#send(connection, this.sent++, 1);
  }

  #send(connection: RawStomp, number: number, attempt: number): void {
    this.#open.set(number, attempt);
    const { name, destination, headers } = this.#options;
    const all = { destination, receipt: `${number}`, persistent: 'true', ...headers(number) };
    connection.send('SEND', all, `${name} ${number} ${attempt}`);
  }
}
