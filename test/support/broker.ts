import { type Address, type Broker, type BrokerExtras, createBroker } from '../../src/broker.ts';
import type { ConfigInput } from '../../src/config/load.ts';
import type { Logger } from '../../src/ports/routing.ts';

const silent: Logger = { debug() {}, info() {}, warn() {}, error: (fields, text) => console.error(text, fields) };

export interface TestBroker {
  readonly broker: Broker;
  readonly mqtt: Address;
  readonly stomp: Address;
  readonly http: Address;
}

/** A broker of the test's own on free ports of the loopback, with everything in memory. */
export async function startBroker(config: ConfigInput = {}, extras: BrokerExtras = {}): Promise<TestBroker> {
  const any = { host: '127.0.0.1', port: 0 };
  const broker = await createBroker(
    {
      ...config,
      listeners: {
        mqtt: any,
        stomp: { ...any, ...config.listeners?.stomp },
        http: { ...any, ...config.listeners?.http },
      },
      backbone: { type: 'memory', ...config.backbone },
    },
    { logger: silent, ...extras },
  );
  await broker.start();
  const { mqtt, stomp, http } = broker.addresses;
  if (mqtt === undefined || stomp === undefined || http === undefined) throw new Error('a listener is missing');
  return { broker, mqtt, stomp, http };
}

/** Runs a test with a broker of its own. */
export async function withBroker(
  run: (broker: TestBroker) => Promise<void>,
  limits: ConfigInput['limits'] = {},
): Promise<void> {
  const broker = await startBroker({ limits });
  try {
    await run(broker);
  } finally {
    await broker.broker.stop();
  }
}
