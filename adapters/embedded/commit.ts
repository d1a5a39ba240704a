import { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { REVISION_KEY } from './keys.ts';
import type { QueuePart } from './queue-part.ts';
import type { Change, Store, Value } from './store.ts';

interface Settle {
  readonly revision: number;
  resolve(revision: number): void;
  reject(error: BrokerError): void;
}

interface Echo {
  readonly message: Message;
  readonly receiver: AppendReceiver;
  readonly token: number;
}

/** What becomes durable together. */
export class Write {
  readonly messages: Message[] = [];
  readonly receivers: AppendReceiver[] = [];
  readonly tokens: number[] = [];
  /** Repetitions of messages in it. */
  readonly echoes: Echo[] = [];
  /** Of the log. */
  readonly puts: Change[] = [];
  /** Of the state, by name; the last change of each. */
  readonly state = new Map<string, Change>();
  readonly settles: Settle[] = [];
  /** What queues have in it, and, once it is sealed, the changes that those are. */
  readonly queues: QueuePart[] = [];
  readonly changes: Change[] = [];
  readonly ids: string[] = [];
  /** First sequences of the spans that end in it. */
  readonly spans: number[] = [];
  bytes = 0;
  revision = 0;

  get empty(): boolean {
    return this.messages.length === 0 && this.settles.length === 0 && this.queues.length === 0;
  }
}

export interface CommitReceiver {
  /** The last call before it is written. */
  seal(write: Write): void;
  durable(write: Write): void;
  /** The store did not take the first of them (which may turn up in it all the same), and does not get the others. */
  failed(writes: readonly Write[], error: BrokerError): void;
}

/**
 * Group commit: what comes while a write is under way is the next write. One write costs one fdatasync, however much is
 * in it.
 */
export class Commit {
  /** What the next write will be. */
  pending = new Write();
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #sync: boolean;
  readonly #receiver: CommitReceiver;
  #store: Store | undefined;
  /** Why nothing is taken in; undefined when it is. */
  #closed: BrokerError | undefined = new BrokerError('unavailable', 'the store is not open');
  #underway: Write | undefined;
  #scheduled = false;
  /** Bytes put since the last message, which a message that they belong to is not refused for. */
  #grace = 0;
  #idle: (() => void)[] = [];
  #united = false;
  readonly #turnEnds = (): void => {
    this.#scheduled = false;
    this.#grace = 0;
    if (this.#underway === undefined) this.#begin();
  };

  constructor(limit: number, sync: boolean, clock: Clock, receiver: CommitReceiver) {
    this.#limit = limit;
    this.#sync = sync;
    this.#clock = clock;
    this.#receiver = receiver;
  }

  open(store: Store): void {
    this.#store = store;
    this.#closed = undefined;
    if (!this.pending.empty) this.#schedule();
  }

  /** From now on everything is refused with this. What was taken in before is still written. */
  close(refusal: BrokerError): void {
    this.#closed = refusal;
  }

  /** Why nothing is written now; undefined when it is. */
  get closed(): BrokerError | undefined {
    return this.#closed;
  }

  /** What is asked for now is in one write, whatever its size, or in none. */
  get united(): boolean {
    return this.#united;
  }

  /** What `work` asks for is in the pending write; with an error it is not called. */
  together(work: () => void): BrokerError | undefined {
    const refusal = this.refusal();
    if (refusal !== undefined) return refusal;
    this.#united = true;
    try {
      work();
    } finally {
      this.#united = false;
    }
    return undefined;
  }

  /** Why it does not take anything now; undefined when it does. */
  refusal(): BrokerError | undefined {
    if (this.#closed !== undefined) return this.#closed;
    if (this.#united || this.waiting - this.#grace <= this.#limit) return undefined;
    return new BrokerError(
      'quota',
      `more than ${this.#limit} bytes wait to become durable (backbone.pendingBytes); the disk is slower than publishers`,
    );
  }

  /** Bytes not durable yet. */
  get waiting(): number {
    return this.pending.bytes + (this.#underway?.bytes ?? 0);
  }

  /** A message is in the pending write. */
  appended(bytes: number): void {
    this.pending.bytes += bytes;
    this.#grace = 0;
    this.#schedule();
  }

  /** A queue has something in the pending write that nobody is refused for. */
  touched(): void {
    this.#schedule();
  }

  change(name: string, key: Buffer, value: Value, revision: number): Promise<number> {
    const write = this.pending;
    const bytes = key.length + (value?.length ?? 0);
    write.state.set(name, [key, value]);
    write.revision = revision;
    write.bytes += bytes;
    this.#grace += bytes;
    this.#schedule();
    return new Promise((resolve, reject) => write.settles.push({ revision, resolve, reject }));
  }

  /** The write, begun or not, that a message of this sequence is in; undefined when it is durable. */
  writeOf(sequence: number): Write | undefined {
    const pending = this.pending.messages[0];
    if (pending !== undefined && sequence >= pending.sequence) return this.pending;
    const underway = this.#underway?.messages[0];
    return underway !== undefined && sequence >= underway.sequence ? this.#underway : undefined;
  }

  /** Resolves when nothing waits. */
  async flushed(): Promise<void> {
    if (this.#underway === undefined) this.#begin();
    if (this.#underway !== undefined) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.defer(this.#turnEnds);
  }

  #begin(): void {
    const write = this.pending;
    const store = this.#store;
    if (write.empty || store === undefined) return;
    this.pending = new Write();
    this.#underway = write;
    this.#receiver.seal(write);
    store.write(changesOf(write), this.#sync).then(
      () => this.#done(write),
      (error: unknown) => this.#failed(write, error),
    );
  }

  #done(write: Write): void {
    this.#underway = undefined;
    // The disk works on while the messages are passed on.
    this.#begin();
    this.#receiver.durable(write);
    for (const { revision, resolve } of write.settles) resolve(revision);
    this.#settled();
  }

  #failed(write: Write, cause: unknown): void {
    const error = cause instanceof BrokerError ? cause : new BrokerError('unavailable', String(cause));
    const pending = this.pending;
    this.pending = new Write();
    this.#underway = undefined;
    this.#store = undefined;
    this.close(error);
    this.#receiver.failed([write, pending], error);
    for (const { settles } of [write, pending]) for (const { reject } of settles) reject(error);
    this.#settled();
  }

  #settled(): void {
    if (this.#underway !== undefined) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}

function* changesOf(write: Write): Generator<Change> {
  yield* write.puts;
  yield* write.changes;
  if (write.state.size === 0) return;
  yield* write.state.values();
  const revision = Buffer.allocUnsafe(8);
  revision.writeDoubleLE(write.revision);
  yield [REVISION_KEY, revision];
}

/** What undoes a write that failed, made while the store still shows what was before it. */
export async function undo(write: Write, store: Store): Promise<Change[]> {
  const changes: Change[] = write.puts.map(([key]) => [key, undefined]);
  const keys = [...write.changes, ...write.state.values()].map(([key]) => key);
  const values = await store.getMany(keys);
  return [...changes, ...keys.map((key, i): Change => [key, values[i]])];
}
