import type { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import { recordBytes, writeRecord } from '../../src/core/record.ts';
import type { AppendReceiver, BackboneReceiver, Log, ReadReceiver } from '../../src/ports/backbone.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { BlockWriter } from './block.ts';
import type { Commit, Write } from './commit.ts';
import type { Ids } from './ids.ts';
import { KIND, logKey } from './keys.ts';
import type { Reader } from './reader.ts';
import type { Spans } from './spans.ts';

export interface LogParts {
  readonly commit: Commit;
  readonly spans: Spans;
  readonly ids: Ids;
  readonly reader: Reader;
}

/** The log as blocks of messages in the store. Messages are encoded as they come, into the block that is being filled. */
export class EmbeddedLog implements Log {
  readonly shards = 1;
  readonly #pendingBytes: number;
  readonly #clock: Clock;
  readonly #commit: Commit;
  readonly #spans: Spans;
  readonly #ids: Ids;
  readonly #reader: Reader;
  readonly #block = new BlockWriter();
  /** The sequence the next appended message gets, and the one after the last that is durable. */
  #end = 1;
  #next = 1;
  #receiver: BackboneReceiver | undefined;

  constructor(pendingBytes: number, { commit, spans, ids, reader }: LogParts, clock: Clock) {
    this.#pendingBytes = pendingBytes;
    this.#commit = commit;
    this.#spans = spans;
    this.#ids = ids;
    this.#reader = reader;
    this.#clock = clock;
  }

  first(_shard: number): number {
    return this.#spans.first;
  }

  next(_shard: number): number {
    return this.#next;
  }

  congested(): boolean {
    return this.#commit.waiting > this.#pendingBytes / 2;
  }

  append(message: Message, receiver: AppendReceiver, token: number): void {
    const refusal = this.#commit.refusal();
    if (refusal !== undefined) {
      this.#clock.defer(() => receiver.refused(token, refusal));
      return;
    }
    const write = this.#commit.pending;
    if (message.dedupId !== undefined) {
      const sequence = this.#ids.find(message.dedupId);
      if (sequence !== undefined) {
        this.#repeated(sequence, message, receiver, token);
        return;
      }
      this.#ids.add(message.dedupId, this.#end);
      write.ids.push(message.dedupId);
    }
    const bytes = recordBytes(message);
    const block = this.#block;
    if (!block.fits(bytes)) {
      this.#sealBlock(write);
      block.begin(this.#end, bytes);
    }
    const at = block.take(bytes);
    const payload = writeRecord(block.buffer, at, message);
    message.adopt(block.buffer, payload, at + bytes);
    message.sequence = this.#end++;
    this.#spans.growing.add(message.topic);
    write.messages.push(message);
    write.receivers.push(receiver);
    write.tokens.push(token);
    this.#commit.appended(bytes);
  }

  read(
    _shard: number,
    sequence: number,
    filters: readonly string[] | undefined,
    count: number,
    bytes: number,
    receiver: ReadReceiver,
  ): void {
    this.#reader.read({ sequence, filters, count, bytes, receiver });
  }

  load(receiver: BackboneReceiver): void {
    this.#receiver = receiver;
    this.#end = this.#spans.end;
    this.#next = this.#end;
  }

  seal(write: Write): void {
    this.#sealBlock(write);
    const first = write.messages[0];
    if (first !== undefined && write.ids.length > 0) write.puts.push(this.#ids.entry(first.sequence, write.ids));
  }

  durable(write: Write): void {
    const { messages, receivers, tokens } = write;
    this.#spans.durable(write);
    const last = messages[messages.length - 1];
    if (last === undefined) return;
    this.#receiver?.tail(messages);
    this.#next = last.sequence + 1;
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i];
      if (message !== undefined) receivers[i]?.appended(tokens[i] ?? 0, message);
    }
    for (const { message, receiver, token } of write.echoes) receiver.appended(token, message);
  }

  failed(write: Write, error: BrokerError): void {
    this.#block.discard();
    for (const [i, receiver] of write.receivers.entries()) receiver.refused(write.tokens[i] ?? 0, error);
    for (const { receiver, token } of write.echoes) receiver.refused(token, error);
  }

  /** Acknowledged with the first of them. */
  #repeated(sequence: number, message: Message, receiver: AppendReceiver, token: number): void {
    const write = this.#commit.writeOf(sequence);
    if (write === undefined) this.#clock.defer(() => receiver.appended(token, message));
    else write.echoes.push({ message, receiver, token });
  }

  #sealBlock(write: Write): void {
    const { first, count } = this.#block;
    if (count === 0) return;
    const block = this.#block.seal();
    write.puts.push([logKey(KIND.block, first), block]);
    this.#spans.addBlock(first, block, write);
  }
}
