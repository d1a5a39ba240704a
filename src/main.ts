#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Broker } from './broker.ts';
import { ConfigError, loadConfig } from './config/load.ts';
import type { Config } from './config/schema.ts';
import { BrokerError } from './core/errors.ts';
import { createLogger } from './logging.ts';
import { ListenError } from './transport/listen.ts';

/** The command line. Exit codes: 0 done, 1 the broker could not start or failed, 2 wrong usage or configuration. */

const HELP = `Trimaran: a broker for MQTT, STOMP and WebSocket clients on one stream of topics and queues.

Usage:
  trimaran start [--config FILE] [--set key=value]...
  trimaran check-config [--config FILE] [--set key=value]...
  trimaran --help | --version

Commands:
  start          Run the broker until SIGTERM or SIGINT; then let clients take what is queued, and exit 0.
  check-config   Say whether the configuration can be used, without starting anything.

Options:
  --config FILE     Configuration in YAML. Without it, the defaults. config/default.yaml documents every key.
  --set key=value   Override one key, as in --set listeners.mqtt.port=1884. May be repeated.
  --help            This text.
  --version         The version.

Every key can be given in the environment as well: TRIMARAN_LISTENERS_MQTT_PORT=1884.
--set wins over the environment, the environment over the file.
`;

/** Wrong usage of the command line. */
class UsageError extends Error {}

async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parse(args);
  const [command, ...rest] = positionals;
  if (values.help) {
    process.stdout.write(HELP);
  } else if (values.version) {
    process.stdout.write(`${version()}\n`);
  } else if (rest.length > 0) {
    throw new UsageError(`one command is expected, found also: ${rest.join(' ')}`);
  } else if (command === 'start') {
    await start(loadConfig({ file: values.config, set: values.set, env: process.env }));
  } else if (command === 'check-config') {
    loadConfig({ file: values.config, set: values.set, env: process.env });
    process.stdout.write(`The configuration is valid (${values.config ?? 'defaults'}).\n`);
  } else {
    throw new UsageError(
      command === undefined ? 'a command is expected: start or check-config' : `no such command: ${command}`,
    );
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        config: { type: 'string' },
        set: { type: 'string', multiple: true },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function start(config: Config): Promise<void> {
  const logger = createLogger(config.log);
  const broker = new Broker(config, logger);
  const began = performance.now();

  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) {
      logger.warn({ signal }, 'stopping at once');
      process.exit(1);
    }
    stopping = true;
    logger.info({ signal }, 'stopping: clients get what is queued for them');
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
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);

  await broker.start();
  const { mqtt, stomp, http } = broker.addresses;
  logger.info({ version: version(), milliseconds: Math.round(performance.now() - began) }, 'Trimaran is running');
  if (mqtt) {
    logger.info(
      mqtt,
      `MQTT on ${mqtt.host}:${mqtt.port}; try: mosquitto_sub -h ${mqtt.host} -p ${mqtt.port} -t 'chat/#' -v`,
    );
  }
  if (stomp) logger.info(stomp, `STOMP on ${stomp.host}:${stomp.port}; try: SEND to /topic/chat.lobby`);
  if (http) {
    const address = `${http.host}:${http.port}`;
    logger.info(http, `HTTP on ${address}: WebSocket at /mqtt, /stomp and /ws; try the chat: http://${address}/chat`);
  }
}

/** From package.json, which is above the compiled file as above the source. */
function version(): string {
  for (const up of ['../', '../../']) {
    try {
      const found: unknown = JSON.parse(readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8'));
      if (typeof found === 'object' && found !== null && 'version' in found) return String(found.version);
    } catch {}
  }
  return 'unknown';
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`trimaran: ${error.message}\nSee trimaran --help\n`);
    process.exit(2);
  }
  if (error instanceof ConfigError) {
    process.stderr.write(`trimaran: the configuration cannot be used\n${error.message.replace(/^/gm, '  ')}\n`);
    process.exit(2);
  }
  if (error instanceof ListenError || error instanceof BrokerError) {
    process.stderr.write(`trimaran: ${error.message}\n`);
    process.exit(1);
  }
  throw error;
}
