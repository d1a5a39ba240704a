import * as assert from 'uvu/assert';
import type { BrokerError } from '../../../src/core/errors.ts';
import { Message, type Properties } from '../../../src/core/message.ts';
import type { QueueEntry, QueueReceiver, QueueStore, QueueStores } from '../../../src/ports/queue-store.ts';
import { eventually } from '../../support/eventually.ts';

export function queued(payload: string, properties?: Properties, dedupId?: string): Message {
  // Borrowed bytes in a larger chunk, as they come from a socket.
  const chunk = Buffer.from(`__${payload}__`);
  const publisher = { clientId: 'c', protocol: 'stomp' } as const;
  const end = 2 + Buffer.byteLength(payload);
  const message = new Message('$queue/q', chunk, 2, end, 1, false, properties, publisher, 1234);
  message.dedupId = dedupId;
  return message;
}

export function textOf({ message }: { readonly message: Message }): string {
  return Buffer.from(message.payload()).toString();
}

/** A queue that a test has open, with what it gave. */
export class HeldQueue implements QueueReceiver {
  readonly taken: QueueEntry[] = [];
  lostTimes = 0;
  #store: QueueStore | undefined;

  static async open(stores: QueueStores, name: string): Promise<HeldQueue> {
    const held = new HeldQueue();
    held.#store = await stores.open(name, held);
    return held;
  }

  get store(): QueueStore {
    if (this.#store === undefined) throw new Error('not open yet');
    return this.#store;
  }

  take(entries: readonly QueueEntry[]): void {
    assert.ok(entries.length > 0, 'a call of take has entries');
    this.taken.push(...entries);
  }

  lost(): void {
    this.lostTimes++;
  }

  /** Resolves with whether it was repeated. */
  push(message: Message): Promise<boolean> {
    return new Promise((resolve, reject) => {
      let returned = false;
      this.store.push(
        message,
        {
          appended(token, stored, repeated = false) {
            assert.ok(returned, 'never during the call');
            assert.is(token, 7);
            assert.is(stored, message);
            resolve(repeated);
          },
          refused: (_, error: BrokerError) => reject(error),
        },
        7,
      );
      returned = true;
    });
  }

  async pushAll(...payloads: string[]): Promise<void> {
    await Promise.all(payloads.map((payload) => this.push(queued(payload))));
  }

  /** Wants so many and resolves when they came. */
  async get(count: number): Promise<QueueEntry[]> {
    const before = this.taken.length;
    this.store.want(count);
    assert.is(this.taken.length, before, 'never during the call');
    return this.came(count, before);
  }

  /** Resolves with the next so many, wanted before. */
  async came(count: number, from = this.taken.length): Promise<QueueEntry[]> {
    await eventually(`${count} messages`, () => this.taken.length >= from + count);
    return this.taken.slice(from);
  }

  async texts(count: number): Promise<string[]> {
    return (await this.get(count)).map(textOf);
  }

  async one(): Promise<QueueEntry> {
    const [entry] = await this.get(1);
    if (entry === undefined) throw new Error('nothing came');
    return entry;
  }

  remove(...entries: readonly QueueEntry[]): Promise<void> {
    for (const { id } of entries) this.store.remove(id);
    return this.store.flushed();
  }
}
