import type { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import { BlockBuilder, type Past, type QueueBlock, type RecordChunk } from './queue-block.ts';
import { blockKey, dueKey, LATER, removedKey } from './queue-keys.ts';
import type { Lane, TakenEntry } from './queue-lane.ts';
import type { Change } from './store.ts';

/** Whose part it is. */
export interface PartOwner {
  /** The last call before it is written. */
  seal(part: QueuePart, changes: Change[]): void;
  durable(part: QueuePart): void;
  failed(part: QueuePart, error: BrokerError): void;
}

interface Echo {
  readonly message: Message;
  readonly receiver: AppendReceiver;
  readonly token: number;
}

interface Settle {
  resolve(): void;
  reject(error: BrokerError): void;
}

interface Delayed {
  readonly builder: BlockBuilder;
  readonly past: Past;
}

const FRESH: Past = { deliveries: 0, redelivered: false, lane: 0, dueAt: 0 };

/** What of one queue becomes durable in one write. */
export class QueuePart {
  readonly owner: PartOwner;
  /** Of the write, among those that ids are remembered with. */
  readonly sequence: number;
  /** The queue's, when it was sealed. */
  number = 0;
  /** What was pushed, in this order, and its payloads' bytes. */
  readonly messages: Message[] = [];
  readonly receivers: AppendReceiver[] = [];
  readonly tokens: number[] = [];
  /** Removed together with what else is in the write (`Commit.together`): they come again if it fails. */
  readonly withdrawn: TakenEntry[] = [];
  bytes = 0;
  /** Repetitions of messages in it. */
  readonly echoes: Echo[] = [];
  readonly ids: string[] = [];
  readonly settles: Settle[] = [];
  /** Blocks of what was pushed. */
  made: QueueBlock[] = [];
  /** Blocks of what was released. */
  readonly singles = new Set<QueueBlock>();
  /** What has become due: blocks as they were, and as they are to be. */
  moved: { readonly from: QueueBlock; readonly to: QueueBlock }[] = [];
  /** Blocks of which messages were removed. */
  readonly struck = new Set<QueueBlock>();
  /** Numbers that the queue had before, and bytes of payloads that they have; all that is to go. */
  readonly dropped: { readonly number: number; readonly bytes: number }[] = [];
  /** What is to be done with the queue's name: it gets this number, or goes. */
  name: 'put' | 'remove' | undefined;
  /** The lanes' marks in it. */
  readonly marks: { readonly lane: Lane; readonly mark: number }[] = [];
  readonly #builders: BlockBuilder[] = [];
  /** The one of each lane that can be added to. */
  readonly #open: (BlockBuilder | undefined)[] = [];
  readonly #delayed: Delayed[] = [];

  constructor(owner: PartOwner, sequence: number) {
    this.owner = owner;
    this.sequence = sequence;
  }

  /** Adds the message that was written to the chunk last. */
  add(lane: number, id: number, chunk: RecordChunk, message: Message): void {
    let builder = this.#open[lane];
    if (builder === undefined || builder.full) {
      builder = new BlockBuilder(lane);
      this.#open[lane] = builder;
      this.#builders.push(builder);
    }
    builder.add(id, chunk, message);
  }

  /** The same, of one that is due later. */
  delay(lane: number, dueAt: number, id: number, chunk: RecordChunk, message: Message): void {
    const builder = new BlockBuilder(LATER);
    builder.add(id, chunk, message);
    this.#delayed.push({ builder, past: { ...FRESH, lane, dueAt } });
    // When it is due, it will be between those in front of it and those behind it.
    this.#open[lane] = undefined;
  }

  /** When the first of those that are pushed to come later is due. */
  get due(): number {
    return this.#delayed.reduce((due, { past }) => Math.min(due, past.dueAt), Infinity);
  }

  /** The queue has another number: what was removed, released or moved under the old one is over. */
  renumber(old: number, bytes: number): void {
    this.singles.clear();
    this.struck.clear();
    this.moved = [];
    this.dropped.push({ number: old, bytes });
  }

  /** What an earlier write that failed has, and nobody was refused. `blocks`: with what was removed and released. */
  adopt({ singles, struck, dropped, name }: QueuePart, blocks: boolean): void {
    this.dropped.push(...dropped);
    this.name ??= name;
    if (!blocks) return;
    for (const block of singles) this.singles.add(block);
    for (const block of struck) this.struck.add(block);
  }

  /** Who waits for it is told. */
  succeed(): void {
    for (let i = 0; i < this.messages.length; i++) {
      const message = this.messages[i];
      if (message !== undefined) this.receivers[i]?.appended(this.tokens[i] ?? 0, message, false);
    }
    for (const { message, receiver, token } of this.echoes) receiver.appended(token, message, true);
    for (const { resolve } of this.settles) resolve();
  }

  fail(error: BrokerError): void {
    for (const [i, receiver] of this.receivers.entries()) receiver.refused(this.tokens[i] ?? 0, error);
    for (const { receiver, token } of this.echoes) receiver.refused(token, error);
    for (const { reject } of this.settles) reject(error);
  }

  /** Removals first: a message may come back under the key of its block. */
  encode(number: number, changes: Change[]): void {
    this.number = number;
    for (const block of this.struck) {
      const { lane, first, left, removed } = block;
      if (left > 0) changes.push([removedKey(number, lane, first), removed]);
      else {
        changes.push([blockKey(number, lane, first), undefined]);
        if (block.count > 1) changes.push([removedKey(number, lane, first), undefined]);
      }
    }
    for (const { from } of this.moved) {
      changes.push([blockKey(number, LATER, from.first), undefined]);
      changes.push([dueKey(number, from.past.dueAt, from.first), undefined]);
    }
    for (const builder of this.#builders) this.made.push(builder.build(number, FRESH));
    for (const { builder, past } of this.#delayed) this.made.push(builder.build(number, past));
    for (const block of this.made) put(number, block, changes);
    for (const { to } of this.moved) put(number, to, changes);
    for (const block of this.singles) if (block.left > 0) put(number, block, changes);
  }
}

function put(number: number, { lane, first, value, size, past }: QueueBlock, changes: Change[]): void {
  changes.push([blockKey(number, lane, first), value]);
  if (lane !== LATER) return;
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(size, 0);
  changes.push([dueKey(number, past.dueAt, first), bytes]);
}
