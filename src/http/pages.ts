import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import type { Answer } from './respond.ts';

/**
 * The pages, in memory by path. Requests are looked up among these paths and nowhere else, so that no request can name
 * another file.
 */

/** Pages need nothing from elsewhere, run no inline code and open no connection but to a broker. */
const POLICY = [
  "default-src 'self'",
  // 'self' does not cover ws: in every browser; the page may also be served by a proxy under another name.
  "connect-src 'self' ws: wss:",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const TYPES = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.json', 'application/json; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
  ['.png', 'image/png'],
  ['.ico', 'image/x-icon'],
]);

export interface Page {
  readonly etag: string;
  readonly answer: Answer;
}

/** A page, or where it is. Both are by path. */
export interface Pages {
  readonly pages: ReadonlyMap<string, Page>;
  readonly redirects: ReadonlyMap<string, string>;
}

/** `scripts/copy-pages.mjs` puts them beside the compiled module. */
const FOLDER = join(import.meta.dirname, 'pages');

/**
 * All files under `folder`. An `index.html` is served at its folder's name without a slash: links in it are relative to
 * the folder above, and hold behind a proxy that adds a prefix. A program that bundles the broker without its pages
 * has none.
 */
export function loadPages(folder = FOLDER): Pages {
  const pages = new Map<string, Page>();
  const redirects = new Map<string, string>();
  if (!existsSync(folder)) return { pages, redirects };
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const type = TYPES.get(extname(entry.name));
    if (type === undefined) continue;
    const path = `/${relative(folder, file).split(sep).join('/')}`;
    const page = load(file, type);
    if (entry.name !== 'index.html') {
      pages.set(path, page);
      continue;
    }
    const place = path.slice(0, -'/index.html'.length);
    pages.set(place === '' ? '/' : place, page);
    if (place !== '') redirects.set(`${place}/`, `..${place.slice(place.lastIndexOf('/'))}`);
  }
  return { pages, redirects };
}

function load(file: string, type: string): Page {
  const body = readFileSync(file);
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  return {
    etag,
    answer: {
      status: 200,
      body,
      headers: {
        'Content-Type': type,
        ETag: etag,
        'Cache-Control': 'no-cache',
        'Content-Security-Policy': POLICY,
        'Referrer-Policy': 'no-referrer',
        'Cross-Origin-Opener-Policy': 'same-origin',
      },
    },
  };
}

/** Whether an If-None-Match header names this tag; weak ones count (RFC 9110, 13.1.2). */
export function tagMatches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((each) => {
    const tag = each.trim();
    return tag === '*' || tag === etag || tag === `W/${etag}`;
  });
}
