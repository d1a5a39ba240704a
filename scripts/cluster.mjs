// `npm run cluster`: three NATS servers with JetStream and two gateways on this machine, as one broker, until Ctrl-C.
// What they keep is in ./data/cluster.
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const data = join(process.cwd(), 'data', 'cluster');
const HOST = '127.0.0.1';
const CLIENTS = [4222, 4223, 4224];
const ROUTES = [6222, 6223, 6224];
const GATEWAYS = [
  { mqtt: 1883, stomp: 61613, http: 8080 },
  { mqtt: 1884, stomp: 61614, http: 8081 },
];

const children = new Set();
let ending = false;

/** Gateways first, so that they can say goodbye to the store. */
async function end(code) {
  if (ending) return;
  ending = true;
  for (const gateways of [true, false]) {
    const some = [...children].filter(({ gateway }) => gateway === gateways);
    for (const { child } of some) child.kill('SIGTERM');
    await Promise.all(some.map(({ ended }) => ended));
  }
  process.exit(code);
}

function run(name, command, args, gateway) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      // Of the servers only what goes wrong: they say much.
      for (const line of lines)
        if (gateway || (/\[(ERR|FTL)\]/.test(line) && !/attempt 1\)/.test(line))) console.log(`${name}  ${line}`);
    });
  }
  const entry = { child, gateway, ended: undefined };
  entry.ended = new Promise((resolve) => {
    child.once('error', (error) => {
      console.error(`${name}: ${error.message}`);
      resolve();
    });
    child.once('close', resolve);
  }).then(() => {
    children.delete(entry);
    if (!ending) {
      console.error(`${name} has ended; so does the cluster`);
      void end(1);
    }
  });
  children.add(entry);
}

function natsServer() {
  const folders = [
    join(root, 'node_modules/.cache/nats-server/sid/usr/sbin'),
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/sbin',
  ];
  return folders
    .map((folder) => join(folder, 'nats-server'))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, HOST);
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

const program = natsServer();
if (program === undefined) {
  console.error('nats-server 2.12 or later is needed: on the PATH, or by scripts/nats-server.sh (Debian)');
  process.exit(1);
}
for (const port of [...CLIENTS, ...ROUTES, ...GATEWAYS.flatMap(Object.values)]) {
  if (await listens(port)) {
    console.error(`port ${port} is in use; the cluster needs it`);
    process.exit(1);
  }
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void end(0));

console.log(`Three NATS servers begin on ${CLIENTS.join(', ')}; what they keep is in ${data}`);
for (const [i, port] of CLIENTS.entries()) {
  const store = join(data, `nats-${i + 1}`);
  mkdirSync(store, { recursive: true });
  const routes = ROUTES.filter((route) => route !== ROUTES[i]).map((route) => `nats://${HOST}:${route}`);
  const cluster = [
    '--cluster_name',
    'trimaran',
    '--cluster',
    `nats://${HOST}:${ROUTES[i]}`,
    '--routes',
    routes.join(','),
  ];
  run(
    `nats-${i + 1}   `,
    program,
    ['-a', HOST, '-p', String(port), '-n', `nats-${i + 1}`, '-js', '-sd', store, ...cluster],
    false,
  );
}
for (let tries = 0; tries < 100 && !(await Promise.all(CLIENTS.map(listens))).every(Boolean); tries++) await sleep(100);
// They choose a leader before they keep anything.
await sleep(2000);
for (const [i, ports] of GATEWAYS.entries()) {
  const set = Object.entries(ports).flatMap(([name, port]) => ['--set', `listeners.${name}.port=${port}`]);
  const main = [join(root, 'dist/src/main.js'), 'start', '--config', join(root, 'config/cluster.yaml')];
  run(`gateway-${i + 1}`, process.execPath, [...main, '--set', 'log.format=pretty', ...set], true);
}
