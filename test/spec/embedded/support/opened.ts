import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedBackbone, type EmbeddedOptions } from '../../../../adapters/embedded/index.ts';
import type { BrokerError } from '../../../../src/core/errors.ts';
import { Message } from '../../../../src/core/message.ts';
import { ShiftedClock } from '../../../support/shifted-clock.ts';

const MiB = 1024 * 1024;
let folder: string | undefined;
process.on('exit', () => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});
let directories = 0;

/** A path where nothing is; removed with the process. */
export function newDirectory(): string {
  // Not before it is asked for: a process that is killed leaves nothing behind.
  folder ??= mkdtempSync(join(tmpdir(), 'trimaran-embedded-'));
  return join(folder, String(directories++));
}

export interface Line {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: object;
  readonly text: string;
}

export function embeddedOptions(directory: string): EmbeddedOptions {
  return {
    directory,
    sync: 'system',
    cacheBytes: MiB,
    reads: 4,
    pendingBytes: 64 * MiB,
    retention: { bytes: 1024 * MiB, seconds: 3600 },
    dedup: { seconds: 120, messages: 1000 },
  };
}

/** A backbone on a directory, with what it said and gave. */
export class Opened {
  readonly backbone: EmbeddedBackbone;
  readonly clock: ShiftedClock;
  readonly lines: Line[] = [];
  readonly tailed: Message[] = [];
  static readonly #all = new Set<Opened>();

  private constructor(options: EmbeddedOptions, clock: ShiftedClock) {
    const say = (level: Line['level']) => (fields: object, text: string) =>
      void this.lines.push({ level, fields, text });
    const logger = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
    this.clock = clock;
    this.backbone = new EmbeddedBackbone(options, clock, logger);
  }

  /** Those that a test has left open. */
  static async stopAll(): Promise<void> {
    for (const each of Opened.#all) await each.stop();
  }

  static async open(
    directory: string,
    options: Partial<EmbeddedOptions> = {},
    clock = new ShiftedClock(),
  ): Promise<Opened> {
    const opened = new Opened({ ...embeddedOptions(directory), ...options }, clock);
    Opened.#all.add(opened);
    await opened.backbone.start({
      live() {},
      unheard() {},
      liveShared() {},
      tail: (messages) => void opened.tailed.push(...messages),
    });
    return opened;
  }

  stop(): Promise<void> {
    Opened.#all.delete(this);
    return this.backbone.stop();
  }

  get first(): number {
    return this.backbone.log.first(0);
  }

  get next(): number {
    return this.backbone.log.next(0);
  }

  append(message: Message): Promise<void> {
    return new Promise((resolve, reject) => {
      this.backbone.log.append(message, { appended: () => resolve(), refused: (_, error) => reject(error) }, 0);
    });
  }

  async appendAll(messages: Iterable<Message>): Promise<void> {
    await Promise.all([...messages].map((message) => this.append(message)));
  }

  read(
    from: number,
    filters?: readonly string[],
    count = 1000,
    bytes = MiB,
  ): Promise<{ messages: readonly Message[]; next: number }> {
    return new Promise((resolve, reject) => {
      this.backbone.log.read(0, from, filters, count, bytes, {
        batch: (_, messages, next) => resolve({ messages, next }),
        failed: (error: BrokerError) => reject(error),
      });
    });
  }

  /** Everything from `from` on. */
  async readAll(from = this.first, filters?: readonly string[], count?: number, bytes?: number): Promise<Message[]> {
    const all: Message[] = [];
    for (let at = from; at < this.next; ) {
      const { messages, next } = await this.read(at, filters, count, bytes);
      if (next <= at) throw new Error(`a read at ${at} does not get on`);
      all.push(...messages);
      at = next;
    }
    return all;
  }
}

export function message(topic: string, payload: string | Buffer, dedupId?: string): Message {
  const bytes = Buffer.from(payload);
  const publisher = { clientId: 'c', protocol: 'mqtt' } as const;
  const made = new Message(topic, bytes, 0, bytes.length, 1, false, undefined, publisher, Date.now());
  made.dedupId = dedupId;
  return made;
}

export function textOf(each: Message): string {
  return Buffer.from(each.payload()).toString();
}
