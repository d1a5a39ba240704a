import { keys } from '../config/keys.ts';
import { LEAST_ITERATIONS, MOST_ITERATIONS } from '../security/verifier.ts';
import type { CommandName } from './arguments.ts';

const GENERAL = `Trimaran: a broker for MQTT, STOMP and WebSocket clients on one stream of topics and queues.

Usage:
  trimaran start [--config FILE] [--set key=value]...
  trimaran check-config [--config FILE] [--set key=value]...
  trimaran keys
  trimaran verifier [--method METHOD] [--iterations COUNT]
  trimaran --help | --version

Commands:
  start          Run the broker until SIGTERM or SIGINT; then let clients take what is queued, and exit 0.
  check-config   Say whether the configuration can be used, without starting anything.
  keys           List every configuration key: default, range, environment variable.
  verifier       Make of a password what security.users may have in its place.

Exit codes: 0 done; 1 the broker could not start, or failed; 2 wrong usage or configuration.
"trimaran COMMAND --help" says more about a command.
`;

const CONFIGURATION = `
Options:
  -c, --config FILE     Configuration in YAML. Without it no file is read. config/default.yaml documents every key.
  -s, --set key=value   Set one key. May be repeated. The value is YAML; lists may also be written with commas.
  -h, --help            This text.

Every key can be set in the environment too: TRIMARAN_LISTENERS_MQTT_PORT=1884. --set wins over the environment, the
environment over the file, the file over the defaults. "trimaran keys" lists all keys.
`;

const START = `Usage: trimaran start [--config FILE] [--set key=value]...

Run the broker until SIGTERM or SIGINT; then let clients take what is queued for them (at most
shutdown.drainSeconds), and exit 0. A second signal ends it at once.
${CONFIGURATION}
Examples:
  trimaran start
  trimaran start --config trimaran.yaml --set listeners.mqtt.port=1884 --set log.level=debug
  trimaran start --set listeners.stomp.enabled=false --set listeners.http.port=0
`;

const CHECK = `Usage: trimaran check-config [--config FILE] [--set key=value]...

Say whether the configuration can be used, and where each value came from; or every fault, with its place. Nothing is
started. Exit code 0: it can be used; 2: it cannot.
${CONFIGURATION}`;

const KEYS = `Usage: trimaran keys

List every configuration key with its default, what it may be and its environment variable.
`;

const VERIFIER = `Usage: trimaran verifier [--method METHOD] [--iterations COUNT]

Read a password, the first line of the standard input, and print a verifier for security.users. A verifier checks a
login, and does not hold the password. It has the form that PostgreSQL has.

Options:
  --method METHOD       SCRAM-SHA-256 (the default), or SCRAM-SHA-512. A user may log in by this method, or by password.
  --iterations COUNT    The work of one login, ${LEAST_ITERATIONS} to ${MOST_ITERATIONS} (default ${LEAST_ITERATIONS}): more makes guessing slower, and each login.
  -h, --help            This text.

Example:
  trimaran verifier < password.txt
`;

export function helpText(command: CommandName | undefined): string {
  if (command === 'start') return START;
  if (command === 'check-config') return CHECK;
  if (command === 'verifier') return VERIFIER;
  return command === 'keys' ? KEYS : GENERAL;
}

export function keysText(): string {
  return keys
    .map(({ name, variable, expected, leaf }) => {
      const fallback = Array.isArray(leaf.fallback) ? leaf.fallback.join(',') : String(leaf.fallback);
      return `${name} = ${fallback}\n    ${leaf.doc}.\n    Expected: ${expected}. Environment: ${variable}\n`;
    })
    .join('\n');
}
