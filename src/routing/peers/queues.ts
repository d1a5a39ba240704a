import { BrokerError } from '../../core/errors.ts';
import type { Message } from '../../core/message.ts';
import type { PartialSettings, QueueSettings } from '../../core/queue-settings.ts';
import type { AppendReceiver } from '../../ports/backbone.ts';
import type { Clock } from '../../ports/clock.ts';
import type {
  BrowsedPortion,
  Consumer,
  ConsumerOptions,
  Consumption,
  QueueStatus,
  Queues,
} from '../../ports/queues.ts';
import { NOBODY } from '../append-receivers.ts';
import type { QueueHost, QueueInlet } from '../hosts.ts';
import { askOwner } from './ask-owner.ts';
import { Attachment } from './attachment.ts';
import { type Answer, performQueueCall, type QueueCall } from './calls.ts';
import type { Lanes } from './lanes.ts';
import type { Links } from './links.ts';
import { Moved, type Ownership } from './ownership.ts';
import { Pushes } from './pushes.ts';

/** What every node knows of all queues of the cluster. */
export interface QueueNames {
  /** How many there are. */
  readonly size: number;
  /** In order. */
  list(): readonly string[];
  /** undefined: there is no such queue. */
  get(queue: string): QueueSettings | undefined;
  /** Queues with a binding that matches the topic. */
  bound(topic: string): readonly string[];
  /** Why a queue can neither be there nor be made so; undefined when it can. */
  refusal(queue: string, settings: PartialSettings): BrokerError | undefined;
}

const NOTHING: PartialSettings = {};
/** Queues whose owner is being looked for, or that turn out not to be made, at once; beyond, more are refused. */
const MOST_UNMADE = 4096;

/** The queues of the whole cluster, each at the node that owns it: here by its host, elsewhere over a link. */
export class ClusterQueues implements Queues, QueueInlet {
  readonly ownership: Ownership;
  readonly pushes: Pushes;
  readonly #host: QueueHost;
  readonly #names: QueueNames;
  readonly #links: Links;
  readonly #clock: Clock;
  readonly #lanes: Lanes;
  /** Owned here, and in no catalog, at the last look. */
  #missing: ReadonlySet<string> = new Set();

  constructor(ownership: Ownership, host: QueueHost, names: QueueNames, links: Links, clock: Clock, mostBytes: number) {
    this.ownership = ownership;
    this.#host = host;
    this.#names = names;
    this.#links = links;
    this.#clock = clock;
    this.pushes = new Pushes(ownership, host, links, clock, mostBytes);
    this.#lanes = this.pushes.lanes;
  }

  push(queue: string, message: Message, receiver: AppendReceiver, token: number): void {
    if (this.ownership.mine(queue) && !this.#lanes.has(queue)) this.#host.push(queue, message, receiver, token);
    else this.#pushElsewhere(queue, message, receiver, token, false);
  }

  /** One that came from another node. When the queue is not here, that is what it is told (`Moved`). */
  pushFor(queue: string, message: Message, receiver: AppendReceiver, token: number): void {
    if (this.ownership.mine(queue) && !this.#lanes.has(queue)) this.#host.push(queue, message, receiver, token);
    else this.#pushElsewhere(queue, message, receiver, token, true);
  }

  #pushElsewhere(queue: string, message: Message, receiver: AppendReceiver, token: number, foreign: boolean): void {
    const refusal = this.#refusal(queue, NOTHING) ?? this.pushes.crowded(message);
    if (refusal === undefined) this.pushes.push(queue, message, receiver, token, foreign);
    else this.#clock.defer(() => receiver.refused(token, refusal));
  }

  /** Nobody becomes the owner of a queue that cannot be made: names that clients invent are not to fill the memory. */
  #refusal(queue: string, settings: PartialSettings): BrokerError | undefined {
    if (this.#names.get(queue) !== undefined || this.ownership.mine(queue)) return undefined;
    if (this.ownership.looksFor(queue) || this.ownership.other(queue) !== undefined) return undefined;
    const unmade = this.ownership.size - this.#names.size;
    if (unmade >= MOST_UNMADE) return new BrokerError('quota', `${unmade} queues are being made already`);
    return this.#names.refusal(queue, settings);
  }

  ready(queue: string): Promise<void> | undefined {
    const waits = this.#lanes.has(queue);
    if (this.ownership.mine(queue) && !waits) return this.#host.ready(queue);
    return this.ownership.other(queue) !== undefined && !waits ? undefined : this.#prepare(queue);
  }

  async #prepare(queue: string): Promise<void> {
    if ((await this.#find(queue, NOTHING)) === this.ownership.node) await this.#host.ready(queue);
  }

  full(queue: string, messages: number, bytes: number): BrokerError | undefined {
    return this.ownership.mine(queue) ? this.#host.full(queue, messages, bytes) : undefined;
  }

  request(queue: string, message: Message, nobody: () => void): void {
    if (this.#names.get(queue) === undefined || this.pushes.crowded(message) !== undefined) {
      this.#clock.defer(nobody);
      return;
    }
    const done = this.pushes.keep(message);
    this.status(queue).then(
      (status) => {
        done();
        if (status === undefined || status.consumers === 0) nobody();
        else this.push(queue, message, NOBODY, 0);
      },
      // Where it cannot be asked for, it cannot be put either.
      () => {
        done();
        nobody();
      },
    );
  }

  bound(topic: string): readonly string[] {
    return this.#names.bound(topic);
  }

  has(queue: string): boolean {
    if (this.#names.get(queue) !== undefined || this.#host.has(queue)) return true;
    return this.#lanes.has(queue) || this.ownership.looksFor(queue);
  }

  list(): readonly string[] {
    return this.#names.list();
  }

  consume(queue: string, consumer: Consumer, options: ConsumerOptions, settings?: PartialSettings): Consumption {
    const subject = {
      sought: this.#ahead(queue, settings),
      find: () => this.#find(queue, settings ?? NOTHING),
      attach: (node: string, at: Consumer) =>
        node === this.ownership.node
          ? this.#host.consume(queue, at, options, settings)
          : this.#links.to(node).consume({ kind: 'queue', queue, options, settings }, at),
      moved: (node: string) => this.#moved(queue, node),
    };
    return new Attachment(consumer, subject, this.#clock);
  }

  /**
   * Who says how a queue is to be, and pushes to it without waiting, finds the queue so: what is pushed from now on comes to
   * the owner after what was said, which has been when the function is called.
   */
  #ahead(queue: string, settings: PartialSettings | undefined): () => void {
    return settings === undefined || this.#names.get(queue) !== undefined ? () => {} : this.#lanes.hold(queue);
  }

  /** Its owner, which there is only of a queue that is there, or can be made. */
  async #find(queue: string, settings: PartialSettings): Promise<string> {
    const refusal = this.#refusal(queue, settings);
    if (refusal !== undefined) throw refusal;
    return this.ownership.find(queue);
  }

  /** A consumer of another node; rejects with `Moved` when the queue is not here. */
  async consumeFor(
    queue: string,
    consumer: Consumer,
    options: ConsumerOptions,
    settings: PartialSettings | undefined,
  ): Promise<Consumption> {
    const said = this.#ahead(queue, settings);
    try {
      if ((await this.ownership.find(queue)) !== this.ownership.node) throw new Moved();
      return this.#host.consume(queue, consumer, options, settings);
    } finally {
      said();
    }
  }

  async declare(queue: string, settings: PartialSettings): Promise<QueueStatus> {
    const refusal = this.#refusal(queue, settings);
    if (refusal !== undefined) throw refusal;
    const said = this.#ahead(queue, settings);
    try {
      const answer = await this.#call({ call: 'declare', queue, settings });
      if (answer.answer !== 'queue') throw unexpected(answer);
      return answer.status;
    } finally {
      said();
    }
  }

  async status(queue: string): Promise<QueueStatus | undefined> {
    if (!this.#known(queue)) return undefined;
    const answer = await this.#call({ call: 'status', queue });
    return answer.answer === 'queue' ? answer.status : undefined;
  }

  async browse(queue: string, after: number, count: number): Promise<BrowsedPortion> {
    this.#check(queue);
    const answer = await this.#call({ call: 'browse', queue, after, count });
    if (answer.answer !== 'portion') throw unexpected(answer);
    return answer.portion;
  }

  async purge(queue: string): Promise<number> {
    this.#check(queue);
    const answer = await this.#call({ call: 'purge', queue });
    if (answer.answer !== 'count') throw unexpected(answer);
    return answer.count;
  }

  async delete(queue: string, only?: { readonly ifEmpty?: boolean; readonly ifUnused?: boolean }): Promise<number> {
    this.#check(queue);
    const { ifEmpty = false, ifUnused = false } = only ?? {};
    const answer = await this.#call({ call: 'delete', queue, ifEmpty, ifUnused });
    if (answer.answer !== 'count') throw unexpected(answer);
    return answer.count;
  }

  /** Nobody becomes the owner of a queue that there is not, by asking for it. */
  #known(queue: string): boolean {
    return (
      this.ownership.mine(queue) || this.#names.get(queue) !== undefined || this.ownership.other(queue) !== undefined
    );
  }

  #check(queue: string): void {
    if (!this.#known(queue)) throw new BrokerError('notFound', `there is no queue ${queue}`);
  }

  #call(asked: QueueCall): Promise<Answer> {
    return askOwner(
      this.ownership,
      asked.queue,
      this.#clock,
      (node) => (node === this.ownership.node ? performQueueCall(this.#host, asked) : this.#links.to(node).call(asked)),
      (node) => this.#moved(asked.queue, node),
    );
  }

  /** A call of another node. */
  async callFor(asked: QueueCall): Promise<Answer> {
    if ((await this.ownership.find(asked.queue)) !== this.ownership.node) throw new Moved();
    return performQueueCall(this.#host, asked);
  }

  #moved(queue: string, node: string): void {
    const link = this.#links.find(node);
    if (link === undefined) this.ownership.forget(queue, node);
    else this.#lanes.moved(queue, link);
  }

  /** Gives up queues that have been missing since the last time: they were deleted, or expired. */
  sweep(): void {
    const missing = new Set([...this.ownership.all()].filter((queue) => this.#names.get(queue) === undefined));
    for (const queue of missing) {
      if (!this.#missing.has(queue)) continue;
      missing.delete(queue);
      this.#host.drop(queue);
      this.ownership.release(queue).catch(() => {});
    }
    this.#missing = missing;
  }

  /** Another node has it. */
  disowned(queue: string): void {
    if (this.ownership.disowned(queue)) this.#host.drop(queue);
  }
}

function unexpected({ answer }: Answer): BrokerError {
  return new BrokerError('internal', `the owner of a queue answered with a ${answer}`);
}
