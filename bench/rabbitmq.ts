import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Debian's RabbitMQ with its STOMP plugin, in a folder of its own and on loopback only. */

const SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';

export function rabbitmqAbsent(): string | undefined {
  return existsSync(SERVER) ? undefined : 'rabbitmq-server is not installed (apt-get install rabbitmq-server)';
}

interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** `names`, `distribution`: ports of Erlang's own, which only its own processes use. */
export function rabbitmqCommand(folder: string, stomp: number, names: number, distribution: number): Command {
  mkdirSync(join(folder, 'home'));
  writeFileSync(join(folder, 'plugins'), '[rabbitmq_stomp].\n');
  writeFileSync(
    join(folder, 'rabbitmq.conf'),
    `listeners.tcp = none\nstomp.listeners.tcp.1 = 127.0.0.1:${stomp}\nlog.console = false\nlog.file = false\n`,
  );
  const env = {
    HOME: join(folder, 'home'),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(names),
    RABBITMQ_NODENAME: `bench-${process.pid}@localhost`,
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_PID_FILE: pidFile(folder),
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
  };
  // It would start a name server itself, which outlives it.
  return { command: '/bin/sh', args: ['-c', `epmd -address 127.0.0.1 -port ${names} & exec ${SERVER}`], env };
}

/** Of the virtual machine; what was started is a script. */
export function rabbitmqPid(folder: string): number {
  return Number(readFileSync(pidFile(folder), 'utf8'));
}

function pidFile(folder: string): string {
  return join(folder, 'pid');
}
