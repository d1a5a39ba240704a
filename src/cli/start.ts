import { isIP } from 'node:net';
import { type Address, type Addresses, Broker } from '../broker.ts';
import type { Config } from '../config/schema.ts';
import { createLogger, type ProgramLogger } from '../logging.ts';

/** Beyond the time clients get to drain: something hangs, and the program must end all the same. */
const STOP_GRACE_SECONDS = 5;
/** Ctrl-C under npm arrives twice, from the terminal and from npm; no one presses it twice as fast as this. */
const SAME_SIGNAL_MS = 250;

/** Runs a broker until a signal ends the process. Rejects when it cannot start. */
export async function startBroker(config: Config, version: string): Promise<void> {
  const began = performance.now();
  const logger = createLogger(config.log);
  failLoudly(logger);
  const broker = new Broker(config, logger);
  const state = { stopping: false };
  stopOnSignal(broker, logger, config.shutdown.drainSeconds, state);
  await broker.start();
  if (state.stopping) return;
  announce(broker.addresses, logger);
  const milliseconds = Math.round(performance.now() - began);
  logger.info({ version, milliseconds }, `Trimaran ${version} is running; Ctrl-C or SIGTERM ends it`);
}

function announce({ mqtt, stomp, http }: Addresses, logger: ProgramLogger): void {
  if (mqtt !== undefined) {
    const { host, port } = reachable(mqtt);
    const options = `-h ${host} -p ${port}`;
    logger.info(mqtt, `MQTT on ${authority(mqtt)}; try: mosquitto_sub ${options} -t 'chat/#' -v`);
    logger.info({}, `  and in another terminal: mosquitto_pub ${options} -t chat/lobby -m hello`);
  }
  if (stomp !== undefined) {
    const { host, port } = reachable(stomp);
    logger.info(stomp, `STOMP on ${authority(stomp)}; try: stomp -H ${host} -P ${port} -L '/topic/chat.#'`);
  }
  if (http !== undefined) {
    const page = `http://${authority(reachable(http))}/chat`;
    logger.info(http, `HTTP and WebSocket (/mqtt, /stomp, /ws) on ${authority(http)}; try in a browser: ${page}`);
  }
  if (mqtt === undefined && stomp === undefined && http === undefined) {
    logger.warn({}, 'no listener is enabled (listeners.*.enabled): no client can connect');
  }
}

/** A server on all addresses is tried on this machine's own. */
function reachable({ host, port }: Address): Address {
  if (host === '0.0.0.0') return { host: '127.0.0.1', port };
  return { host: host === '::' ? '::1' : host, port };
}

function authority({ host, port }: Address): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

function stopOnSignal(broker: Broker, logger: ProgramLogger, drainSeconds: number, state: { stopping: boolean }): void {
  let first: NodeJS.Signals | undefined;
  let firstAt = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (state.stopping) {
      if (signal === 'SIGINT' && first === 'SIGINT' && performance.now() - firstAt < SAME_SIGNAL_MS) return;
      logger.warn({ signal }, 'stopping at once');
      process.exit(1);
    }
    state.stopping = true;
    first = signal;
    firstAt = performance.now();
    logger.info({ signal }, `stopping: clients get what is queued for them, at most ${drainSeconds} s`);
    setTimeout(
      () => {
        logger.error({}, 'stopping takes too long; giving up');
        process.exit(1);
      },
      (drainSeconds + STOP_GRACE_SECONDS) * 1000,
    );
    broker.stop().then(
      () => {
        logger.info({}, 'stopped');
        process.exit(0);
      },
      (error: unknown) => {
        logger.error({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

/** An error nobody caught leaves the broker in a state nobody knows: say so and end, so that a supervisor restarts it. */
function failLoudly(logger: ProgramLogger): void {
  const fail = (error: unknown): void => {
    logger.fatal({ err: error }, 'internal error: the broker ends');
    if (!logger.isLevelEnabled('fatal')) console.error(error);
    process.exit(1);
  };
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
}
