import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../support/eventually.ts';
import { jetStreamOptions } from '../support/jetstream.ts';
import { NatsNode } from '../support/nats-node.ts';
import { NatsServer } from '../support/nats-server.ts';
import { requireTool } from '../support/tools.ts';

/** TLS to NATS, with a certificate authority and a client certificate of one's own. */

const test = suite('fault/jetstream-tls');
const folder = mkdtempSync(join(tmpdir(), 'trimaran-tls-'));
let server: NatsServer | undefined;
test.after(async () => {
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const path = (name: string): string => join(folder, name);

function certificates(): void {
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { stdio: 'ignore' });
  };
  const key = ['-newkey', 'rsa:2048', '-nodes', '-days', '2'];
  openssl('req', '-x509', ...key, '-keyout', path('ca.key'), '-out', path('ca.pem'), '-subj', '/CN=test authority');
  const names = ['-addext', 'subjectAltName=DNS:localhost', '-CA', path('ca.pem'), '-CAkey', path('ca.key')];
  openssl('req', '-x509', ...key, '-keyout', path('key.pem'), '-out', path('cert.pem'), '-subj', '/CN=node', ...names);
}

requireTool(test, 'nats-server', 'with the certificates it works; without, it says so', async (program) => {
  // -CA for `req -x509` came with OpenSSL 3.
  if (!/OpenSSL 3/.test(spawnSync('openssl', ['version'], { encoding: 'utf8' }).stdout ?? '')) {
    console.log('skipped: OpenSSL 3 is missing');
    return;
  }
  certificates();
  const files = ['--tlscert', path('cert.pem'), '--tlskey', path('key.pem'), '--tlscacert', path('ca.pem')];
  server = await NatsServer.start(program, { args: ['--tls', '--tlsverify', ...files] });
  const tls = { ca: path('ca.pem'), certificate: path('cert.pem'), key: path('key.pem') };
  const servers = [`tls://localhost:${server.port}`];
  const node = await NatsNode.start(jetStreamOptions(server, { servers, tls }));
  node.append('t', '1');
  await eventually('it is there', () => node.appended.length === 1);
  await node.backbone.stop();

  for (const [changes, words] of [
    [{ servers }, /backbone\.nats\.servers\): .*certificate/],
    [{ servers, tls: { ...tls, certificate: '', key: '' } }, /backbone\.nats\.servers\): (no answer|.*certificate)/],
    [{ servers, tls: { ...tls, ca: '/no/ca.pem' } }, /backbone\.nats\.tls\.ca: \/no\/ca\.pem cannot be read/],
  ] as const) {
    let message = 'it started';
    await NatsNode.start(jetStreamOptions(server, changes)).catch((error: Error) => {
      message = error.message;
    });
    assert.ok(words.test(message), message);
  }
});

test.run();
