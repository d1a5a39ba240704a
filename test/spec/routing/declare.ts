import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createBroker } from '../../../src/broker.ts';
import { BrokerError } from '../../../src/core/errors.ts';
import { DEFAULT_SETTINGS, type PartialSettings } from '../../../src/core/queue-settings.ts';
import type { QueueStatus } from '../../../src/ports/queues.ts';
import { declareQueues } from '../../../src/routing/declare.ts';

const test = suite('routing: queues of the configuration');

const declared = [
  { name: 'orders', settings: { maxMessages: 5 } },
  { name: 'mail', settings: {} },
];

async function status(name: string): Promise<QueueStatus> {
  return { name, settings: DEFAULT_SETTINGS, messages: 0, bytes: 0, unsettled: 0, consumers: 0, node: 'a' };
}

test('are made with their settings, in their order', async () => {
  const made: [string, PartialSettings][] = [];
  const declare = (name: string, settings: PartialSettings): Promise<QueueStatus> => {
    made.push([name, settings]);
    return status(name);
  };
  await declareQueues({ declare }, declared);
  assert.equal(made, [
    ['orders', { maxMessages: 5 }],
    ['mail', {}],
  ]);
});

test('one that is there with other settings is named, with both values, and none is made after it', async () => {
  const asked: string[] = [];
  const declare = async (name: string): Promise<never> => {
    asked.push(name);
    throw new BrokerError('fieldInvalid', 'maxMessages of the queue is 7, not 5');
  };
  const error = await declareQueues({ declare }, declared).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, BrokerError);
  assert.is(
    error instanceof BrokerError && error.message,
    'queues.declared[0] ("orders"): maxMessages of the queue is 7, not 5',
  );
  assert.equal(asked, ['orders']);
});

test('a stored queue that is set otherwise stops the start, which says both values', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'trimaran-declared-'));
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const off = { enabled: false };
  const start = async (maxMessages: number): Promise<string> => {
    const broker = await createBroker(
      {
        listeners: { mqtt: off, stomp: off, http: off },
        backbone: { type: 'embedded', embedded: { directory } },
        queues: { declared: [{ name: 'orders', maxMessages }] },
      },
      { logger: silent },
    );
    try {
      await broker.start();
      return 'started';
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      await broker.stop();
    }
  };
  try {
    assert.is(await start(7), 'started');
    assert.is(await start(7), 'started');
    assert.is(await start(5), 'queues.declared[0] ("orders"): maxMessages of the queue is 7, not 5');
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test.run();
