import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { versionFault } from '../../adapters/jetstream/connection.ts';
import type { JetStreamOptions } from '../../adapters/jetstream/index.ts';
import { jetStreamOptions } from '../support/jetstream.ts';
import { NatsNode } from '../support/nats-node.ts';
import { NatsServer } from '../support/nats-server.ts';
import { cachedNatsServer, requireTool } from '../support/tools.ts';

/** What a start says when NATS is not as it has to be; and what a start on existing streams changes. */

const test = suite('fault/jetstream-start');
let server: NatsServer | undefined;

test.after.each(async () => {
  await server?.remove();
  server = undefined;
});

async function failure(options: JetStreamOptions): Promise<string> {
  try {
    const node = await NatsNode.start(options);
    await node.backbone.stop();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return 'it started';
}

requireTool(test, 'nats-server', 'no server: its address and the key are named, soon', async () => {
  const began = performance.now();
  const message = await failure(jetStreamOptions([], { servers: ['nats://127.0.0.1:1'] }));
  assert.match(message, /nats:\/\/127\.0\.0\.1:1 \(backbone\.nats\.servers\): no one answers there/);
  assert.ok(performance.now() - began < 3000);
});

requireTool(test, 'nats-server', 'JetStream is not enabled', async (program) => {
  server = await NatsServer.start(program, { jetstream: false });
  assert.match(await failure(jetStreamOptions(server)), /^JetStream is not enabled at nats:.*nats-server -js/);
});

requireTool(test, 'nats-server', 'a wrong password; the right one', async (program) => {
  server = await NatsServer.start(program, { args: ['--user', 'u', '--pass', 'p'] });
  assert.match(await failure(jetStreamOptions(server, { user: 'u', password: 'x' })), /backbone\.nats\.user/);
  assert.is(await failure(jetStreamOptions(server, { user: 'u', password: 'p' })), 'it started');
});

requireTool(test, 'nats-server', 'more copies than there are servers', async (program) => {
  server = await NatsServer.start(program);
  assert.match(await failure(jetStreamOptions(server, { replicas: 3 })), /backbone\.nats\.replicas/);
});

requireTool(test, 'nats-server', 'a file that is not there', async (program) => {
  server = await NatsServer.start(program);
  assert.match(
    await failure(jetStreamOptions(server, { credentials: '/no/file' })),
    /backbone\.nats\.credentials: \/no\/file/,
  );
});

requireTool(test, 'nats-server', 'other settings are applied to streams that are there', async (program) => {
  server = await NatsServer.start(program);
  assert.is(await failure(jetStreamOptions(server)), 'it started');
  const changed = jetStreamOptions(server, {
    retention: { bytes: 2_000_000, seconds: 60 },
    dedup: { seconds: 30, messages: 1 },
  });
  assert.is(await failure(changed), 'it started');
  const node = await NatsNode.start(changed);
  for (let i = 0; i < 300; i++) node.append('t', 'x'.repeat(10_000));
  while (node.appended.length < 300) await new Promise((resolve) => setTimeout(resolve, 10));
  const read = await node.readAll();
  assert.ok(read.length > 150 && read.length < 220, `${read.length} of 300 messages of 10 kB are kept`);
  assert.is(node.backbone.log.first(0), read[0]?.sequence);
  await node.backbone.stop();
});

test('versions', () => {
  for (const version of ['2.12.0', '2.15.1', '3.0.0', '2.12.0-RC.1']) assert.is(versionFault(version), undefined);
  for (const version of ['2.11.9', '1.4.1', 'unknown']) {
    assert.is(
      versionFault(version),
      `the NATS server is version ${version}; 2.12 or later is needed (backbone.nats.servers)`,
    );
  }
});

const SCRIPT = [
  join(import.meta.dirname, '../../../scripts/nats-server.sh'),
  join(process.cwd(), 'scripts/nats-server.sh'),
];

/** The one of Debian bookworm, when it can be had. */
function oldServer(): string | undefined {
  const cached = cachedNatsServer('bookworm');
  const script = SCRIPT.find((path) => existsSync(path));
  if (cached !== undefined || script === undefined) return cached;
  try {
    execFileSync(script, ['bookworm'], { stdio: 'ignore', timeout: 60_000 });
  } catch {
    return undefined;
  }
  return cachedNatsServer('bookworm');
}

requireTool(test, 'nats-server', 'a server that is too old is refused by name', async () => {
  const program = oldServer();
  if (program === undefined) {
    console.log("skipped: Debian bookworm's nats-server could not be had");
    return;
  }
  server = await NatsServer.start(program);
  assert.is(
    await failure(jetStreamOptions(server)),
    'the NATS server is version 2.9.10; 2.12 or later is needed (backbone.nats.servers)',
  );
});

test.run();
