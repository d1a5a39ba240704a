import { createServer as createNodeServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { live, ready } from './health.ts';
import { loadPages, type Pages, tagMatches } from './pages.ts';
import { type Answer, json, respond } from './respond.ts';

export interface HttpOptions {
  /** undefined when clients can be served, else why not, in words. */
  readonly notReady: () => string | undefined;
  /** Where the pages are; by default beside the compiled module. */
  readonly pagesFolder?: string;
}

/** Answers one request to a path of the table. */
type Route = (request: IncomingMessage) => Answer;

/** Health and pages on an HTTP server that does not listen yet; the transport attaches WebSocket upgrades to it. */
export function createHttpServer(options: HttpOptions): Server {
  return createServer(createHandler(options));
}

/** All there is: GET and HEAD on the paths of one table. */
function createHandler(options: HttpOptions): RequestListener {
  const routes = createRoutes(options, loadPages(options.pagesFolder));
  const places = [...routes.keys()].filter((path) => path === '/' || !/\/$|\./.test(path));
  const notFound = { error: 'not found', expected: `one of ${places.join(', ')}` };
  return (request, response) => {
    respond(response, answer(routes, notFound, request), request.method !== 'HEAD');
  };
}

function createRoutes(options: HttpOptions, { pages, redirects }: Pages): ReadonlyMap<string, Route> {
  const routes = new Map<string, Route>();
  for (const [path, page] of pages) {
    const unchanged: Answer = { ...page.answer, status: 304, body: NOTHING };
    routes.set(path, (request) => (tagMatches(request.headers['if-none-match'], page.etag) ? unchanged : page.answer));
  }
  for (const [path, location] of redirects) {
    const moved = json(308, { location }, { Location: location });
    routes.set(path, () => moved);
  }
  routes.set('/health/live', live);
  routes.set('/health/ready', () => ready(options.notReady()));
  return routes;
}

const NOTHING = Buffer.alloc(0);

function answer(routes: ReadonlyMap<string, Route>, notFound: object, request: IncomingMessage): Answer {
  // Never decoded: paths with escapes are none of ours.
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  const route = routes.get(path);
  if (route === undefined) return json(404, notFound, hangUp(request));
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    const text = `${request.method} is not offered here`;
    return json(405, { error: text, expected: 'GET or HEAD' }, { Allow: 'GET, HEAD', ...hangUp(request) });
  }
  return route(request);
}

/** A body that no one reads is not waited for: the connection ends with the answer. */
function hangUp(request: IncomingMessage): { Connection?: 'close' } {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  return (length === undefined || length === '0') && encoding === undefined ? {} : { Connection: 'close' };
}

/** Requests are small and quick to send; whoever takes longer is cut off. */
const HEADER_BYTES = 16 * 1024;
const HEADERS_MILLISECONDS = 10_000;
const REQUEST_MILLISECONDS = 15_000;
const KEEP_ALIVE_MILLISECONDS = 5_000;
const CHECK_MILLISECONDS = 2_000;

function createServer(handler: RequestListener): Server {
  const server = createNodeServer(
    {
      maxHeaderSize: HEADER_BYTES,
      headersTimeout: HEADERS_MILLISECONDS,
      requestTimeout: REQUEST_MILLISECONDS,
      keepAliveTimeout: KEEP_ALIVE_MILLISECONDS,
      connectionsCheckingInterval: CHECK_MILLISECONDS,
      noDelay: true,
    },
    handler,
  );
  // Node drops headers beyond a count without a word, be it the one that names the origin; their bytes are bounded.
  server.maxHeadersCount = 0;
  return server;
}
