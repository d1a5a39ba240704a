import { request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http';
import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createHttpServer, type HttpOptions } from '../../../src/http/server.ts';

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const test = suite('http/server');

let server: Server;
let reason: string | undefined;

async function listen(options: HttpOptions): Promise<Server> {
  const made = createHttpServer(options);
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  return made;
}

function portOf(of: Server): number {
  const address = of.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function stop(which: Server): Promise<void> {
  which.closeAllConnections();
  await new Promise((resolve) => which.close(resolve));
}

/** `path` goes out as it is: a URL parser would tidy it up. */
function ask(path: string, method = 'GET', headers: Record<string, string> = {}, to = server): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      { host: '127.0.0.1', port: portOf(to), path, method, headers, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          });
        });
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

test.before(async () => {
  server = await listen({ notReady: () => reason });
});
test.after(() => stop(server));

test('live is always 200', async () => {
  reason = 'the disk is full';
  const reply = await ask('/health/live');
  assert.is(reply.status, 200);
  assert.equal(JSON.parse(reply.body), { status: 'live' });
});

test('ready is 200, or 503 with the reason', async () => {
  reason = undefined;
  const reply = await ask('/health/ready?from=probe');
  assert.is(reply.status, 200);
  assert.equal(JSON.parse(reply.body), { status: 'ready' });
  assert.is(reply.headers['cache-control'], 'no-store');
  reason = 'the disk is full';
  const later = await ask('/health/ready');
  assert.is(later.status, 503);
  assert.equal(JSON.parse(later.body), { status: 'not ready', reason });
});

for (const [path, type, words] of [
  ['/', 'text/html; charset=utf-8', /href="chat"/],
  ['/base.css', 'text/css; charset=utf-8', /:root/],
  ['/index.css', 'text/css; charset=utf-8', /main/],
  ['/icon.svg', 'image/svg+xml', /<svg/],
  ['/chat', 'text/html; charset=utf-8', /data-testid="messages"/],
  ['/chat?x=1', 'text/html; charset=utf-8', /src="chat\/chat.js"/],
  ['/chat/chat.css', 'text/css; charset=utf-8', /prefers-color-scheme: dark/],
  ['/chat/chat.js', 'text/javascript; charset=utf-8', /import/],
  ['/chat/client.js', 'text/javascript; charset=utf-8', /trimaran\.v1/],
  ['/chat/messages.js', 'text/javascript; charset=utf-8', /textContent/],
] as const) {
  test(`${path} is ${type}, by GET, by HEAD, and unchanged by its tag`, async () => {
    const reply = await ask(path);
    assert.is(reply.status, 200);
    assert.is(reply.headers['content-type'], type);
    assert.is(reply.headers['x-content-type-options'], 'nosniff');
    assert.match(String(reply.headers['content-security-policy']), /^default-src 'self'; connect-src 'self' ws: wss:;/);
    assert.match(reply.body, words);
    const head = await ask(path, 'HEAD');
    assert.is(head.status, 200);
    assert.is(head.body, '');
    for (const name of ['content-length', 'content-type', 'etag']) assert.is(head.headers[name], reply.headers[name]);
    const tag = String(reply.headers.etag);
    for (const known of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
      const unchanged = await ask(path, 'GET', { 'If-None-Match': known });
      assert.is(unchanged.status, 304);
      assert.is(unchanged.body, '');
      assert.is(unchanged.headers.etag, tag);
    }
    assert.is((await ask(path, 'GET', { 'If-None-Match': '"other"' })).status, 200);
  });
}

test('a page’s folder with a slash leads to the page, under any prefix', async () => {
  const reply = await ask('/chat/');
  assert.is(reply.status, 308);
  assert.is(reply.headers.location, '../chat');
});

test('pages need nothing from elsewhere and run no inline code', async () => {
  for (const path of ['/', '/chat', '/chat/chat.js', '/chat/client.js', '/chat/messages.js', '/chat/chat.css']) {
    const { body } = await ask(path);
    assert.not.match(
      body,
      /https?:\/\/|innerHTML|outerHTML|insertAdjacent|document\.write|<style|\son\w+=|\sstyle=/,
      path,
    );
  }
});

for (const path of [
  '/nothing',
  '/chat/index.html/',
  '/index.html',
  '/chat/../../server.js',
  '/../server.js',
  '/%2e%2e/server.js',
  '/chat/..%2f..%2fserver.js',
  '/..\\server.js',
  '//chat',
  '/chat%00',
  '/chat/chat.js.map',
  '/constructor',
  '/__proto__',
  'http://elsewhere/chat',
  '*',
]) {
  test(`${path} is not found`, async () => {
    const reply = await ask(path);
    assert.is(reply.status, 404);
    assert.equal(JSON.parse(reply.body), {
      error: 'not found',
      expected: 'one of /, /chat, /health/live, /health/ready',
    });
  });
}

for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
  test(`${method} is not offered`, async () => {
    for (const path of ['/', '/chat', '/health/ready']) {
      const reply = await ask(path, method);
      assert.is(reply.status, 405);
      assert.is(reply.headers.allow, 'GET, HEAD');
      assert.equal(JSON.parse(reply.body), { error: `${method} is not offered here`, expected: 'GET or HEAD' });
    }
  });
}

/** What the server says to these bytes until it closes the connection. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(portOf(server), '127.0.0.1');
    let said = '';
    socket.on('data', (chunk) => {
      said += chunk.toString('latin1');
    });
    socket.on('close', () => resolve(said));
    socket.on('error', reject);
    socket.write(bytes);
  });
}

test('a body that was announced is not waited for', async () => {
  const said = await raw('POST /chat HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nonly this');
  assert.match(said, /^HTTP\/1\.1 405 /);
  assert.match(said, /\r\nConnection: close\r\n/i);
});

test('headers have a limit', async () => {
  assert.match(await raw(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
  assert.ok(server.headersTimeout > 0 && server.headersTimeout <= 10_000);
  assert.ok(server.requestTimeout > 0 && server.requestTimeout <= 30_000);
});

test('many small headers are all seen', async () => {
  const many = Array.from({ length: 2100 }, (_, i) => `${i}:\r\n`).join('');
  const said = await raw(`GET /chat HTTP/1.1\r\nHost: x\r\n${many}If-None-Match: *\r\nConnection: close\r\n\r\n`);
  assert.match(said, /^HTTP\/1\.1 304 /);
});

test('bytes that are not HTTP are refused', async () => {
  assert.match(await raw('\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00\r\n\r\n'), /^HTTP\/1\.1 400 /);
});

test('without the pages there still is health', async () => {
  const bare = await listen({ notReady: () => undefined, pagesFolder: '/nowhere/at/all' });
  assert.is((await ask('/health/live', 'GET', {}, bare)).status, 200);
  assert.is((await ask('/chat', 'GET', {}, bare)).status, 404);
  await stop(bare);
});

test.run();
