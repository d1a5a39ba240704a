import { once } from 'node:events';
import { createServer } from 'node:net';
import { Aedes } from 'aedes';
import * as fc from 'fast-check';
import { suite } from 'uvu';
import { startBroker } from '../support/broker.ts';
import { runs, tellSeed } from '../support/fuzz-runs.ts';
import { asCompared, withoutDifferences } from './support/aedes-rules.ts';
import { type Command, play, type Step, scenario } from './support/random-scenario.ts';

/** On MQTT 3.1.1: random scenarios of several clients, on this broker and on a plain aedes. */

const test = suite('aedes as a second opinion: random scenarios');
tellSeed();

async function onOurs(commands: readonly Command[]): Promise<Step[]> {
  const { broker, mqtt } = await startBroker();
  try {
    return await play(mqtt, commands);
  } finally {
    await broker.stop();
  }
}

async function onAedes(commands: readonly Command[]): Promise<Step[]> {
  const aedes = await Aedes.createBroker();
  const listener = createServer((socket) => aedes.handle(socket)).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('aedes has no port');
  try {
    return await play({ host: '127.0.0.1', port: address.port }, commands);
  } finally {
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
    listener.close();
  }
}

test('what each client gets, in which order, at which QoS, retained or not', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (commands) => {
      const ours = asCompared(await onOurs(commands));
      const theirs = asCompared(withoutDifferences(await onAedes(commands)));
      for (const [i, step] of ours.entries()) {
        const other = theirs[i];
        if (JSON.stringify(step) !== JSON.stringify(other))
          throw new Error(`${JSON.stringify(step)} is with aedes ${JSON.stringify(other)}`);
      }
    }),
    runs(60),
  );
});

test.run();
