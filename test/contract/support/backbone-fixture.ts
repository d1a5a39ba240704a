import * as assert from 'uvu/assert';
import type { BrokerError } from '../../../src/core/errors.ts';
import { Message, type Properties } from '../../../src/core/message.ts';
import type { Backbone, BackboneReceiver, Entry } from '../../../src/ports/backbone.ts';

export interface BackboneFactory {
  readonly name: string;
  /** On an empty store, not started. */
  create(): Promise<Backbone> | Backbone;
  /** On the store of the one created last, which has been stopped; left out where nothing outlives it. */
  reopen?(): Promise<Backbone> | Backbone;
}

class Node implements BackboneReceiver {
  readonly tailed: Message[] = [];
  /** Positions the log claimed as given when a batch came. */
  readonly nextAtTail: number[] = [];
  backbone: Backbone | undefined;

  live(): void {}
  unheard(): void {}
  liveShared(): void {}

  tail(messages: readonly Message[]): void {
    this.nextAtTail.push(this.backbone?.log.next(messages[0]?.shard ?? 0) ?? 0);
    this.tailed.push(...messages);
  }
}

export function message(topic: string, payload: string, properties?: Properties): Message {
  // Borrowed bytes in a larger chunk, as they come from a socket.
  const chunk = Buffer.from(`__${payload}__`);
  return new Message(
    topic,
    chunk,
    2,
    2 + Buffer.byteLength(payload),
    1,
    false,
    properties,
    { clientId: 'c', protocol: 'mqtt' },
    1,
  );
}

export const textOf = (each: Message): string => Buffer.from(each.payload()).toString();

export const bytes = (value: string): Buffer => Buffer.from(value);

export const contentOf = (entry: Entry | undefined): string | undefined => entry && Buffer.from(entry.value).toString();

/** The backbone of the test that runs, and the node that it is of. */
export class BackboneFixture {
  #backbone: Backbone | undefined;
  #node = new Node();

  get backbone(): Backbone {
    if (this.#backbone === undefined) throw new Error('not begun');
    return this.#backbone;
  }

  get log(): Backbone['log'] {
    return this.backbone.log;
  }

  get state(): Backbone['state'] {
    return this.backbone.state;
  }

  /** What came by the tail. */
  get tailed(): readonly Message[] {
    return this.#node.tailed;
  }

  /** Positions the log claimed as given when a batch came. */
  get nextAtTail(): readonly number[] {
    return this.#node.nextAtTail;
  }

  async begin(made: Promise<Backbone> | Backbone): Promise<void> {
    const backbone = await made;
    this.#backbone = backbone;
    this.#node = new Node();
    this.#node.backbone = backbone;
    await backbone.start(this.#node);
  }

  async end(): Promise<void> {
    await this.backbone.stop();
  }

  append(...messages: Message[]): Promise<string[]> {
    return new Promise((resolve) => {
      const order: string[] = [];
      for (const [token, each] of messages.entries()) {
        this.log.append(
          each,
          {
            appended: (got, stored) => {
              assert.is(got, token);
              assert.ok(this.tailed.includes(stored), 'acknowledged after it was given to the tail');
              order.push(`appended ${got}`);
              if (order.length === messages.length) resolve(order);
            },
            refused: (got, error) => {
              order.push(`refused ${got} ${error.message}`);
              if (order.length === messages.length) resolve(order);
            },
          },
          token,
        );
      }
      assert.equal(order, [], 'never during the call');
    });
  }

  read(
    from: number,
    count: number,
    bytes = 1024 * 1024,
    filters?: readonly string[],
  ): Promise<{ messages: readonly Message[]; next: number }> {
    return new Promise((resolve, reject) => {
      let returned = false;
      this.log.read(0, from, filters, count, bytes, {
        batch(_shard, messages, next) {
          assert.ok(returned, 'never during the call');
          resolve({ messages, next });
        },
        failed: (error: BrokerError) => reject(error),
      });
      returned = true;
    });
  }
}
