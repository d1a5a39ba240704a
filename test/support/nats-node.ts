import { JetStreamBackbone, type JetStreamOptions } from '../../adapters/jetstream/index.ts';
import { Message, type Properties, type Qos } from '../../src/core/message.ts';
import type { BackboneReceiver, ClusterReceiver } from '../../src/ports/backbone.ts';
import { SystemClock } from '../../src/system-clock.ts';
import { logger } from './jetstream.ts';

/** A node on NATS, that keeps what it is given. */
export class NatsNode implements BackboneReceiver, ClusterReceiver {
  readonly backbone: JetStreamBackbone;
  readonly lived: Message[] = [];
  readonly tailed: Message[] = [];
  readonly yielded: string[] = [];
  readonly lost: string[] = [];
  readonly disownedKeys: string[] = [];
  /** From other nodes. */
  readonly got: { readonly node: string; readonly bytes: Uint8Array }[] = [];
  interruptions = 0;
  readonly unheardOf: string[] = [];
  /** Appended or refused, in the order of being told. */
  readonly appended: string[] = [];
  readonly refused: string[] = [];

  private constructor(options: JetStreamOptions) {
    this.backbone = new JetStreamBackbone(options, new SystemClock(), logger());
    this.backbone.cluster.join(this);
  }

  static async start(options: JetStreamOptions): Promise<NatsNode> {
    const node = new NatsNode(options);
    await node.backbone.start(node);
    return node;
  }

  liveShared(): void {}

  unheard(responseTopic: string): void {
    this.unheardOf.push(responseTopic);
  }

  disowned(key: string): void {
    this.disownedKeys.push(key);
  }

  received(node: string, bytes: Uint8Array): void {
    this.got.push({ node, bytes });
  }

  interrupted(): void {
    this.interruptions++;
  }

  live(message: Message): void {
    this.lived.push(message.keep());
  }

  tail(messages: readonly Message[]): void {
    for (const message of messages) this.tailed.push(message.keep());
  }

  async yieldClient(clientId: string): Promise<void> {
    this.yielded.push(clientId);
  }

  nodeLost(node: string): void {
    this.lost.push(node);
  }

  append(topic: string, payload: string, dedupId?: string): void {
    const message = messageOf(topic, payload);
    message.dedupId = dedupId;
    this.backbone.log.append(
      message,
      {
        appended: () => this.appended.push(payload),
        refused: (_, error) => this.refused.push(`${error.code}: ${error.message}`),
      },
      0,
    );
  }

  /** Everything in the log, by reading. */
  async readAll(filters?: readonly string[]): Promise<Message[]> {
    const { log } = this.backbone;
    const all: Message[] = [];
    for (let from = log.first(0); from < log.next(0); ) {
      from = await new Promise<number>((resolve, reject) => {
        log.read(0, from, filters, 1000, 4 * 1024 * 1024, {
          batch: (_shard, messages, next) => {
            all.push(...messages);
            resolve(next);
          },
          failed: reject,
        });
      });
    }
    return all;
  }
}

export function messageOf(topic: string, payload: string, qos: Qos = 1, properties?: Properties): Message {
  const bytes = Buffer.from(payload);
  const publisher = { clientId: 'c', protocol: 'mqtt' } as const;
  return new Message(topic, bytes, 0, bytes.length, qos, false, properties, publisher, Date.now());
}

export const textOf = (message: Message): string => Buffer.from(message.payload()).toString();
