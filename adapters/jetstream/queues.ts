import { BrokerError } from '../../src/core/errors.ts';
import { pause } from '../../src/core/pause.ts';
import type { Clock, Timer } from '../../src/ports/clock.ts';
import type { QueueReceiver, QueueStore, QueueStores } from '../../src/ports/queue-store.ts';
import type { Logger } from '../../src/ports/routing.ts';
import { record, type StreamState } from './api.ts';
import { type Connection, explain } from './connection.ts';
import { DirectGet } from './direct-get.ts';
import { Frames } from './frames.ts';
import type { JetStreamOptions } from './options.ts';
import { OwnIds } from './own-ids.ts';
import { Pusher } from './pusher.ts';
import { JetStreamQueue } from './queue.ts';
import { readContents } from './queue-contents.ts';
import { QueueNames } from './queue-names.ts';
import { Notes } from './queue-notes.ts';
import { streamNames } from './streams.ts';
import { Turns } from './turns.ts';

const TICK = 1_000;
/** Ticks between looks for messages of applications that have priorities of which a queue has had none. */
const LOOK = 2;
const NAME_BYTES = 1024;
/** Milliseconds between looks whether everything is sent. */
const DRAIN = 20;
/** Queues that are being opened, or whose consumers are being made, at a time. */
const TURNS = 64;

/** Queues in one work-queue stream. */
export class JetStreamQueues implements QueueStores {
  readonly #options: JetStreamOptions;
  readonly #node: string;
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #stream: string;
  readonly #frames: Frames;
  readonly #direct: DirectGet;
  readonly #ids: OwnIds;
  readonly #pusher: Pusher;
  readonly #turns = new Turns(TURNS);
  /** By subject. */
  readonly #open = new Map<string, JetStreamQueue>();
  #ticks = 0;
  #looking = false;
  #scheduled = 0;
  #timer: Timer | undefined;

  constructor(options: JetStreamOptions, node: string, connection: Connection, clock: Clock, logger: Logger) {
    this.#options = options;
    this.#node = node;
    this.#connection = connection;
    this.#clock = clock;
    this.#logger = logger;
    this.#stream = streamNames(options.prefix).queue;
    this.#frames = new Frames(connection, clock);
    this.#direct = new DirectGet(connection, clock, this.#stream);
    this.#ids = new OwnIds(node);
    this.#pusher = new Pusher(options, connection, clock, logger, this.#frames, this.#stream, this.#ids);
    connection.listen({
      up: () => {
        for (const queue of this.#open.values()) queue.up();
      },
      down: () => {
        for (const queue of this.#open.values()) queue.down();
      },
    });
  }

  start({ last }: StreamState): void {
    this.#pusher.start(last);
    this.#tick();
  }

  /** Resolves when nothing is pending, or after so many milliseconds. */
  async drain(milliseconds: number): Promise<void> {
    const until = this.#clock.now() + milliseconds;
    while (this.#pusher.pending > 0 && this.#clock.now() < until) {
      await pause(this.#clock, DRAIN);
    }
  }

  stop(): void {
    this.#timer?.cancel();
    this.#pusher.stop();
    for (const queue of this.#open.values()) queue.stop();
  }

  async open(name: string, receiver: QueueReceiver): Promise<QueueStore> {
    if (Buffer.byteLength(name) > NAME_BYTES) {
      throw new BrokerError('fieldInvalid', `the name of a queue has ${NAME_BYTES} bytes at most`);
    }
    const { prefix, replicas, dedup, holdSeconds } = this.#options;
    const names = new QueueNames(prefix, name);
    let queue: JetStreamQueue | undefined;
    const shared = {
      connection: this.#connection,
      clock: this.#clock,
      logger: this.#logger,
      frames: this.#frames,
      direct: this.#direct,
      stream: this.#stream,
      pusher: this.#pusher,
      ids: this.#ids,
      holdSeconds,
      dedupSeconds: dedup.seconds,
      turns: this.#turns,
      unique: () => `${this.#node}-${++this.#scheduled}`,
      closed: (): void => {
        if (queue !== undefined && this.#open.get(names.subject) === queue) this.#open.delete(names.subject);
      },
    };
    try {
      const { connection, direct, stream } = shared;
      const read = () => readContents(names, connection, direct, stream, replicas > 1);
      const contents = await this.#turns.run(read);
      const notes = new Notes(name, names, contents.notes, contents.born, shared);
      queue = new JetStreamQueue(name, names, contents, notes, shared, receiver);
      this.#open.set(names.subject, queue);
      return queue;
    } catch (error) {
      throw error instanceof BrokerError ? error : new BrokerError('unavailable', explain(error));
    }
  }

  #tick(): void {
    this.#timer = this.#clock.schedule(TICK, () => {
      const now = this.#clock.now();
      for (const queue of this.#open.values()) queue.tick(now);
      if (++this.#ticks % LOOK === 0 && this.#open.size > 0 && !this.#looking) void this.#look();
      this.#tick();
    });
  }

  /** Brokers say themselves what priority their messages have; applications do not. One answer is for all queues. */
  async #look(): Promise<void> {
    this.#looking = true;
    try {
      const subjects = `${this.#options.prefix}.queue.*.*`;
      const info = await this.#connection.ask(`$JS.API.STREAM.INFO.${this.#stream}`, { subjects_filter: subjects });
      for (const subject of Object.keys(record(record(info.state).subjects))) {
        this.#open.get(subject.slice(0, subject.lastIndexOf('.')))?.found(subject);
      }
    } catch {
      // NATS is away: the next look finds it.
    }
    this.#looking = false;
  }
}
