import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Test } from 'uvu';

/** What the tests use of Debian; scripts/install-test-tools.sh installs it. */

interface Tool {
  readonly package: string;
  /** The path of its program, or undefined when it is missing. */
  find(): string | undefined;
}

const TOOLS = {
  mosquitto: { package: 'mosquitto', find: () => program('mosquitto') },
  mosquitto_pub: { package: 'mosquitto-clients', find: () => program('mosquitto_pub') },
  mosquitto_sub: { package: 'mosquitto-clients', find: () => program('mosquitto_sub') },
  mosquitto_rr: { package: 'mosquitto-clients', find: () => program('mosquitto_rr') },
  paho_c_pub: { package: 'paho.mqtt.c-examples', find: () => program('paho_c_pub') },
  paho_c_sub: { package: 'paho.mqtt.c-examples', find: () => program('paho_c_sub') },
  paho_cs_pub: { package: 'paho.mqtt.c-examples', find: () => program('paho_cs_pub') },
  paho_cs_sub: { package: 'paho.mqtt.c-examples', find: () => program('paho_cs_sub') },
  strace: { package: 'strace', find: () => program('strace') },
  chromium: { package: 'chromium', find: () => program('chromium') },
  'nats-server': { package: 'nats-server', find: () => natsServer() },
  'paho-mqtt': { package: 'python3-paho-mqtt', find: () => python('paho.mqtt.client') },
  'ruby-stomp': { package: 'ruby-stomp', find: () => interpreter('ruby', ['-r', 'stomp', '-e', '']) },
  'libnet-stomp-perl': { package: 'libnet-stomp-perl', find: () => interpreter('perl', ['-MNet::Stomp', '-e1']) },
  'php-stomp': { package: 'php-stomp and php-cli', find: () => interpreter('php', ['-r', 'new StompFrame();']) },
  'syslog-ng': { package: 'syslog-ng-mod-stomp', find: () => syslogNg() },
  'stomp.py': { package: 'python3-stomp', find: () => python('stomp') },
} as const satisfies Record<string, Tool>;

/** By what is asked of them. */
const interpreters = new Map<string, string | undefined>();

export type ToolName = keyof typeof TOOLS;

/** Servers are in sbin, which is not on everyone's path. */
const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];

function program(name: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where scripts put what they unpack; this file runs compiled, in dist/test/support. */
const caches = (name: string): string[] => [
  join(import.meta.dirname, '../../../node_modules/.cache', name),
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'trimaran', name),
];
const NATS_CACHES = caches('nats-server');
const SYSLOG_NG_CACHES = caches('syslog-ng');

/** What that script has got of a suite of Debian. */
export function cachedNatsServer(suite: string): string | undefined {
  return NATS_CACHES.map((cache) => join(cache, suite, 'usr/sbin/nats-server')).find(isExecutable);
}

/** 2.12 or later. */
function natsServer(): string | undefined {
  const cached = cachedNatsServer('sid');
  if (cached !== undefined) return cached;
  const installed = program('nats-server');
  if (installed === undefined) return undefined;
  const version = /v(\d+)\.(\d+)/.exec(spawnSync(installed, ['--version'], { encoding: 'utf8' }).stdout);
  const [major, minor] = [Number(version?.[1]), Number(version?.[2])];
  return major > 2 || (major === 2 && minor >= 12) ? installed : undefined;
}

/** With the module that speaks STOMP: where scripts/syslog-ng.sh puts it, or installed. */
function syslogNg(): string | undefined {
  const cached = SYSLOG_NG_CACHES.map((cache) => join(cache, 'syslog-ng')).find(isExecutable);
  if (cached !== undefined) return cached;
  const installed = program('syslog-ng');
  if (installed === undefined) return undefined;
  const { stdout } = spawnSync(installed, ['--version'], { encoding: 'utf8' });
  return /^Available-Modules: .*\bafstomp\b/m.test(stdout) ? installed : undefined;
}

function python(module: string): string | undefined {
  return interpreter('python3', ['-c', `import ${module}`]);
}

/**
 * The one that can do what is asked. Debian's comes first: another one on the path would not see Debian's packages. Asked once: many
 * tests need the same.
 */
function interpreter(name: string, args: readonly string[]): string | undefined {
  const key = `${name} ${args.join(' ')}`;
  if (!interpreters.has(key))
    interpreters.set(
      key,
      [`/usr/bin/${name}`, name].find((path) => spawnSync(path, args, { stdio: 'ignore' }).status === 0),
    );
  return interpreters.get(key);
}

/** The path of the tool's program (the interpreter for a module of Python), or undefined. */
export function findTool(name: ToolName): string | undefined {
  return TOOLS[name].find();
}

/**
 * A test that needs a tool and gets its path. Where the tool is missing, the test is skipped and says so; with CI=true,
 * where it should have been installed, it fails.
 */
export function requireTool<T>(
  test: Test<T>,
  name: ToolName,
  title: string,
  body: (path: string) => Promise<void> | void,
): void {
  const path = findTool(name);
  const missing = `${name} is missing (Debian's package ${TOOLS[name].package}; scripts/install-test-tools.sh)`;
  if (path !== undefined) {
    test(title, () => body(path));
  } else if (process.env.CI === 'true') {
    test(title, () => {
      throw new Error(missing);
    });
  } else {
    console.log(`skipped: ${title}: ${missing}`);
    test.skip(title);
  }
}
