import { startBroker, type TestBroker } from '../../support/broker.ts';

/** A broker for connections with something wrong in them, which must leave no fault of its own. */
export class WatchedBroker {
  readonly #faults: string[] = [];
  readonly #rejected = (reason: unknown): void => void this.#faults.push(`unhandled: ${String(reason)}`);
  #started: TestBroker | undefined;

  get server(): TestBroker {
    if (this.#started === undefined) throw new Error('not started');
    return this.#started;
  }

  async start(): Promise<void> {
    const logger = {
      debug() {},
      info() {},
      warn() {},
      error: (fields: object, text: string) =>
        void this.#faults.push(
          `${text} ${'err' in fields && fields.err instanceof Error ? fields.err.stack : JSON.stringify(fields)}`,
        ),
    };
    process.on('unhandledRejection', this.#rejected);
    const limits = {
      queues: 20,
      queueMessages: 100,
      retainedMessages: 500,
      detachedSessions: 200,
      sessionExpirySeconds: 5,
    };
    this.#started = await startBroker({ backbone: { memory: { logBytes: 1024 * 1024 } }, limits }, { logger });
  }

  async stop(): Promise<void> {
    await this.#started?.broker.stop();
    process.off('unhandledRejection', this.#rejected);
  }

  /** Throws what has gone wrong in it since this was last asked. */
  check(): void {
    if (this.#faults.length > 0) throw new Error(this.#faults.splice(0).join('\n'));
  }
}

/** Bytes in use once what is free has been given back. */
export function usedMemory(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
