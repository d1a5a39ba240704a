import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

/** The program as a newcomer meets it: a process, its output and its exit code. */

const test = suite('cli: program');
const ROOT = join(import.meta.dirname, '../../../..');
const MAIN = join(import.meta.dirname, '../../../src/main.js');
const folder = mkdtempSync(join(tmpdir(), 'trimaran-cli-'));
const file = join(folder, 'trimaran.yaml');
test.after(() => rmSync(folder, { recursive: true }));

/** None of the surrounding environment's settings. */
const CLEAN = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TRIMARAN_')));

class Program {
  out = '';
  err = '';
  readonly #child;
  readonly exit: Promise<number | null>;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}, input: string | Buffer = '') {
    // In the temporary folder: nothing is read from or written to where the tests run.
    const options = { cwd: folder, env: { ...CLEAN, ...env }, timeout: 30_000 };
    const child = spawn(process.execPath, [MAIN, ...args], { ...options, stdio: 'pipe' });
    // It may end before it has read anything.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
    });
    this.#child = child;
    this.exit = once(child, 'close').then(([code]) => (typeof code === 'number' ? code : null));
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Resolves when the output contains `pattern`; rejects when the program ends before. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    let ended = false;
    const end = this.exit.then(() => {
      ended = true;
    });
    for (;;) {
      const match = pattern.exec(this.out);
      if (match !== null) return match;
      if (ended) throw new Error(`the program ended without saying ${pattern}:\n${this.out}${this.err}`);
      await Promise.race([end, once(this.#child.stdout, 'data')]);
    }
  }
}

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function run(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Outcome> {
  const program = new Program(args, env);
  const code = await program.exit;
  return { code, out: program.out, err: program.err };
}

const FREE_PORTS = ['mqtt', 'stomp', 'http'].flatMap((name) => ['--set', `listeners.${name}.port=0`]);
const MEMORY = ['--set', 'backbone.type=memory'];

test('--version is the version of package.json', async () => {
  const { version } = Object(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')));
  assert.equal(await run(['--version']), { code: 0, out: `${version}\n`, err: '' });
});

test('--help, and no command at all, say how it is used; each command has its own', async () => {
  const help = await run(['--help']);
  assert.is(help.code, 0);
  assert.match(help.out, /Usage:\n {2}trimaran start \[--config FILE\] \[--set key=value\]\.\.\./);
  assert.equal(await run([]), help);
  for (const command of ['start', 'check-config', 'keys', 'verifier']) {
    assert.match(help.out, `\n  ${command} `);
    const own = await run([command, '--help']);
    assert.is(own.code, 0);
    assert.match(own.out, new RegExp(`^Usage: trimaran ${command}`));
  }
});

test('keys lists every key with its variable', async () => {
  const { code, out } = await run(['keys']);
  assert.is(code, 0);
  assert.match(out, /^listeners\.mqtt\.port = 1883$/m);
  assert.match(out, 'TRIMARAN_LIMITS_PACKET_BYTES');
});

test('wrong usage: exit code 2, what is wrong and where help is, on standard error', async () => {
  assert.equal(await run(['start', '--prot', '1']), {
    code: 2,
    out: '',
    err: 'trimaran: found an unknown option --prot; expected --config, --set, --help, --version\nSee: trimaran start --help\n',
  });
  assert.equal(await run(['strat']), {
    code: 2,
    out: '',
    err: 'trimaran: found an unknown command strat; did you mean start?\nSee: trimaran --help\n',
  });
});

test('verifier: from the first line of the standard input to what security.users takes', async () => {
  const made = new Program(['verifier'], {}, 'pencil\n');
  assert.is(await made.exit, 0, made.err);
  const user = JSON.stringify([{ name: 'a', password: made.out.trim() }]);
  assert.is((await run(['check-config', '--set', `security.users=${user}`])).code, 0);
  const refused = new Program(['verifier']);
  assert.is(await refused.exit, 2);
  assert.is(refused.out, '');
  assert.match(refused.err, /^trimaran: expected a password, .+\nSee: trimaran verifier --help\n$/);
});

test('a bad configuration: exit code 2 and every fault with its place, from start and check-config alike', async () => {
  writeFileSync(file, 'listeners:\n  mqtt:\n    prot: 1884\n');
  for (const command of ['start', 'check-config']) {
    const args = [command, '--config', file, '--set', 'limits.queues=many'];
    const { code, out, err } = await run(args, { TRIMARAN_LOG_LEVEL: 'loud' });
    assert.is(code, 2);
    assert.is(out, '');
    assert.is(
      err,
      [
        'trimaran: the configuration has 3 faults:',
        `  ${file}:3:5: listeners.mqtt.prot: found an unknown key; did you mean listeners.mqtt.port?`,
        '  TRIMARAN_LOG_LEVEL: log.level: found the text "loud", expected one of fatal, error, warn, info, debug, trace, silent',
        '  --set: limits.queues: found the text "many", expected a whole number from 0 to 1000000 (queues)',
        '',
      ].join('\n'),
    );
  }
});

test('check-config: a valid configuration, and where each value came from', async () => {
  writeFileSync(file, 'listeners:\n  mqtt:\n    port: 1884\nbackbone: {nats: {servers: "nats://me:secret@host"}}\n');
  const args = ['check-config', '--config', file, '--set', 'log.level=debug'];
  const { code, out, err } = await run(args, { TRIMARAN_LOG_FORMAT: 'json' });
  assert.equal([code, err], [0, '']);
  assert.is(
    out,
    [
      'configuration is valid',
      `  listeners.mqtt.port = 1884   (${file}:3:11)`,
      `  backbone.nats.servers = ["nats://***@host"]   (${file}:4:28)`,
      '  log.level = "debug"   (--set)',
      '  log.format = "json"   (TRIMARAN_LOG_FORMAT)',
      '  every other key has its default',
      '',
    ].join('\n'),
  );
  assert.match((await run(['check-config'])).out, /^configuration is valid\n {2}every key has its default\n$/);
  assert.is((await run(['check-config', '--config', join(ROOT, 'config/default.yaml')])).code, 0);
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`start: says what listens where, as JSON lines; exits 0 on ${signal}`, async () => {
    const program = new Program(['start', ...FREE_PORTS, ...MEMORY]);
    await program.says(/is running/);
    const lines = program.out
      .trimEnd()
      .split('\n')
      .map((line) => Object(JSON.parse(line)));
    for (const name of ['MQTT', 'STOMP', 'HTTP']) {
      const line = lines.find(({ msg }) => String(msg).startsWith(`${name} `));
      assert.is(line?.host, '127.0.0.1');
      const socket = connect(line.port, line.host);
      await once(socket, 'connect');
      socket.destroy();
    }
    program.signal(signal);
    assert.is(await program.exit, 0);
    assert.is(program.err, '');
    assert.match(program.out, /"msg":"stopped"/);
  });
}

test('start: a client that does not go keeps the drain waiting; a second signal ends it at once with exit code 1', async () => {
  const program = new Program(['start', ...FREE_PORTS, ...MEMORY, '--set', 'shutdown.drainSeconds=20']);
  await program.says(/is running/);
  const [, port] = await program.says(/"port":(\d+),"msg":"MQTT/);
  // Half open: it takes no notice of the server's end.
  const client = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
  client.on('error', () => {});
  await once(client, 'connect');
  program.signal('SIGINT');
  await program.says(/"msg":"stopping: /);
  // Ctrl-C under npm: the same signal twice within milliseconds is one.
  program.signal('SIGINT');
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.not.match(program.out, /at once/);
  program.signal('SIGINT');
  assert.is(await program.exit, 1);
  assert.match(program.out, /"msg":"stopping at once"/);
  client.destroy();
});

test('start: lines for people with log.format pretty', async () => {
  const program = new Program(['start', ...FREE_PORTS, ...MEMORY, '--set', 'log.format=pretty'], { NO_COLOR: '1' });
  const [, port] = await program.says(
    /^\[[\d:]+\] INFO.*: MQTT on 127\.0\.0\.1:(\d+); try: mosquitto_sub -h 127\.0\.0\.1 -p/m,
  );
  assert.ok(Number(port) > 0);
  await program.says(/is running/);
  program.signal('SIGTERM');
  assert.is(await program.exit, 0);
});

test('start: listeners that are not enabled do not listen', async () => {
  const off = ['mqtt', 'stomp'].flatMap((name) => ['--set', `listeners.${name}.enabled=false`]);
  const program = new Program(['start', ...FREE_PORTS, ...MEMORY, ...off]);
  await program.says(/is running/);
  assert.match(program.out, /"msg":"HTTP /);
  assert.not.match(program.out, /"msg":"(MQTT|STOMP) /);
  program.signal('SIGTERM');
  assert.is(await program.exit, 0);
});

test('start: a port in use is one clear line and exit code 1', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = Object(taken.address()) satisfies AddressInfo;
  const args = [
    'start',
    ...FREE_PORTS,
    ...MEMORY,
    '--set',
    `listeners.stomp.port=${port}`,
    '--set',
    'log.level=silent',
  ];
  const { code, out, err } = await run(args);
  taken.close();
  assert.is(code, 1);
  assert.is(out, '');
  assert.match(
    err,
    new RegExp(`^trimaran: port ${port} on 127\\.0\\.0\\.1 is in use \\(listeners\\.stomp\\.port\\).*\\n$`),
  );
  assert.not.match(err, /^\s+at /m);
});

test('start: an address this machine has not is one clear line and exit code 1', async () => {
  const args = [
    'start',
    ...FREE_PORTS,
    ...MEMORY,
    '--set',
    'listeners.mqtt.host=192.0.2.1',
    '--set',
    'log.level=silent',
  ];
  const { code, err } = await run(args);
  assert.is(code, 1);
  assert.match(err, /^trimaran: 192\.0\.2\.1 is not an address of this machine \(listeners\.mqtt\.host\)\n$/);
});

test('a reader that has seen enough ends the program without noise', async () => {
  const child = spawn('sh', ['-c', '"$0" "$1" keys | head -n 1', process.execPath, MAIN], { env: CLEAN });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  await once(child, 'close');
  assert.is(output, 'listeners.mqtt.enabled = true\n');
});

test.run();
