import { BrokerError } from '../../core/errors.ts';
import type { Message } from '../../core/message.ts';
import type { AppendReceiver } from '../../ports/backbone.ts';
import type { Clock } from '../../ports/clock.ts';
import type { QueueHost } from '../hosts.ts';
import { Lanes } from './lanes.ts';
import type { Links } from './links.ts';
import type { OwnerLink, Push, PushResults } from './owner-link.ts';
import { Moved, type Ownership } from './ownership.ts';

/** How ids of messages begin that have none of their own. */
const PUSH_ID = 'push\0';

/** Messages on their way to queues whose owner is another node, or not known yet. */
export class Pushes implements PushResults {
  /** Where they wait. */
  readonly lanes: Lanes;
  readonly #ownership: Ownership;
  readonly #host: QueueHost;
  readonly #links: Links;
  /** Of messages (`Message.weight`) on their way to other nodes, or to owners not known yet; beyond, more are refused. */
  readonly #mostBytes: number;
  #bytes = 0;
  /** Messages that were given an id here. */
  #count = 0;

  constructor(ownership: Ownership, host: QueueHost, links: Links, clock: Clock, mostBytes: number) {
    this.#ownership = ownership;
    this.#host = host;
    this.#links = links;
    this.#mostBytes = mostBytes;
    this.lanes = new Lanes(
      ownership,
      clock,
      (push, node) => this.#go(push, node),
      (push, error) => this.#refused(push, error),
    );
  }

  /** `foreign`: as in `Push`. */
  push(queue: string, message: Message, receiver: AppendReceiver, token: number, foreign: boolean): void {
    // It may be stored, and even settled, at an owner that is lost before it says so; the next one is to know it then.
    if (message.dedupId === undefined && message.properties?.messageId === undefined)
      message.dedupId = `${PUSH_ID}${this.#ownership.node}\0${++this.#count}`;
    this.#bytes += message.weight;
    const push = { queue, message: message.keep(), receiver, token, foreign, bounces: 0 };
    const owner = foreign || this.lanes.has(queue) ? undefined : this.#ownership.other(queue);
    if (owner === undefined) this.lanes.wait(push);
    else this.#links.to(owner).push(push);
  }

  /** Why there is no room for one more. */
  crowded({ weight }: Message): BrokerError | undefined {
    return this.#bytes + weight > this.#mostBytes
      ? new BrokerError(
          'unavailable',
          `${this.#bytes} bytes wait for other nodes of the cluster already (limits.peerBytes)`,
        )
      : undefined;
  }

  /** One that waits to be pushed counts, too, until the function is called. */
  keep(message: Message): () => void {
    const { weight } = message.keep();
    this.#bytes += weight;
    return () => {
      this.#bytes -= weight;
    };
  }

  /** The owner is known now. */
  #go(push: Push, node: string): void {
    if (node === this.#ownership.node) {
      this.#bytes -= push.message.weight;
      const { receiver } = push;
      this.#host.push(
        push.queue,
        push.message,
        {
          appended: (token, message, repeated) => receiver.appended(token, message, isRepeated(message, repeated)),
          refused: (token, error) => receiver.refused(token, error),
        },
        push.token,
      );
    } else if (push.foreign) {
      this.#refused(push, new Moved());
    } else {
      this.#links.to(node).push(push);
    }
  }

  pushed(push: Push, repeated: boolean, link: OwnerLink): void {
    this.lanes.answered(push, link);
    this.#bytes -= push.message.weight;
    push.receiver.appended(push.token, push.message, isRepeated(push.message, repeated));
  }

  refused(push: Push, error: BrokerError, link: OwnerLink): void {
    if (error instanceof Moved) {
      this.lanes.bounce(push, link);
      return;
    }
    this.lanes.answered(push, link);
    this.#refused(push, error);
  }

  #refused(push: Push, error: BrokerError): void {
    this.#bytes -= push.message.weight;
    push.receiver.refused(push.token, error);
  }

  /** What was on its way to a node that is gone goes to the new owners. */
  returned(pushes: readonly Push[], link: OwnerLink): void {
    this.lanes.returned(pushes, link);
  }

  /** Refuses these, which were on their way, and what waits. */
  stop(pushes: readonly Push[], error: BrokerError): void {
    for (const push of pushes) this.#refused(push, error);
    this.lanes.stop(error);
  }
}

/** By its publisher; that nodes repeat it is their own affair. */
function isRepeated(message: Message, repeated = false): boolean {
  return repeated && !message.dedupId?.startsWith(PUSH_ID);
}
