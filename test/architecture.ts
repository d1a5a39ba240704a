import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { faultsOf, importsOf, type Source } from './support/architecture-rules.ts';
import { blank } from './support/source-text.ts';

/** Who may import whom, and what no source may do; then that the rules find what they are to find. */

/** This file runs compiled, from dist/test. */
const root = [join(import.meta.dirname, '../..'), process.cwd()].find((path) =>
  existsSync(join(path, 'tsconfig.json')),
);
const FOLDERS = ['src', 'protocols', 'adapters', 'bench', 'test'];

function readSources(): Source[] {
  if (root === undefined) throw new Error('the sources are not where this test looks for them');
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name}`)
      .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') })),
  );
}

function dependencies(): string[] {
  const found: unknown = JSON.parse(readFileSync(join(root ?? '.', 'package.json'), 'utf8'));
  if (typeof found !== 'object' || found === null || !('dependencies' in found)) return [];
  return typeof found.dependencies === 'object' && found.dependencies !== null ? Object.keys(found.dependencies) : [];
}

test('the sources keep to the rules', () => {
  const sources = readSources();
  assert.ok(sources.length > 50, `only ${sources.length} files were found`);
  const faults = faultsOf(sources, dependencies());
  assert.is(faults.length, 0, `\n${faults.join('\n')}\n`);
});

const PACKAGES = ['ws', 'nats', 'classic-level', 'pino'];

function check(path: string, text: string): string[] {
  return faultsOf([{ path, text }], PACKAGES);
}

/** File, text, and what the fault says. */
const BAD: readonly (readonly [string, string, RegExp])[] = [
  ['src/core/a.ts', "import type { Clock } from '../ports/clock.ts';", /core may not import ports/],
  ['src/core/a.ts', "import { isUtf8 } from 'node:fs';", /core may not import node:fs/],
  ['src/core/a.ts', "import z from 'zod';", /core may not import zod/],
  ['src/ports/a.ts', "import { Router } from '../routing/router.ts';", /ports may not import routing/],
  [
    'src/routing/a.ts',
    "import { mqtt } from '../../protocols/mqtt/index.ts';",
    /routing may not import protocols\/mqtt/,
  ],
  ['src/routing/a.ts', "export * from '../config/load.ts';", /routing may not import src/],
  ['protocols/mqtt/a.ts', "import { x } from '../stomp/frame.ts';", /protocols\/mqtt may not import protocols\/stomp/],
  ['protocols/mqtt/a.ts', "import { x } from '../../src/routing/router.ts';", /may not import routing/],
  ['protocols/mqtt/a.ts', "import net from 'node:net';", /may not import node:net/],
  ['protocols/mqtt/a.ts', "import tls from 'tls';", /may not import tls/],
  ['protocols/stomp/a/b.ts', "const http = await import('node:http');", /may not import node:http/],
  ['protocols/stomp/a.ts', "let x: import('node:net').Socket;", /may not import node:net/],
  [
    'protocols/stomp/a.ts',
    "import {\n  a,\n  b,\n} from '../shared.ts';",
    /a.ts:4: protocols\/stomp may not import protocols/,
  ],
  ['adapters/memory/a.ts', "import { x } from '../jetstream/index.ts';", /may not import adapters\/jetstream/],
  ['adapters/memory/a.ts', "import { x } from '../../src/broker.ts';", /may not import src/],
  ['adapters/memory/a.ts', "import { connect } from 'nats';", /nats is used in adapters\/jetstream\/ only/],
  ['adapters/jetstream/a.ts', "import { ClassicLevel } from 'classic-level';", /used in adapters\/embedded\/ only/],
  ['src/http/a.ts', "import { WebSocket } from 'ws';", /ws is used in src\/transport\/ only/],
  ['src/http/a.ts', "import { x } from '../../test/support/inbox.ts';", /src may not import test/],
  ['src/http/a.ts', "import 'mqtt-packet';", /mqtt-packet is not among the dependencies/],
  ['src/http/a.ts', "import { x } from './respond.js';", /does not end in .ts/],
  ['test/spec/a.ts', "import { x } from '../support/inbox';", /does not end in .ts/],
  ['src/core/a.ts', 'const n = Math.random();', /not through a port: Math.random/],
  ['src/routing/a.ts', 'const n = Date.now();', /not through a port: Date/],
  ['src/routing/a.ts', `const n = \`\${new Date()}\`;`, /not through a port: new Date/],
  ['protocols/mqtt/a.ts', '\nsetTimeout(f, 1);', /a.ts:2: not through a port: setTimeout/],
  ['protocols/mqtt/a.ts', 'process.nextTick(f);', /not through a port: process/],
  ['src/ports/a.ts', 'performance.now();', /not through a port: performance/],
  ['src/ports/a.ts', 'globalThis.setTimeout(f);', /not through a port: globalThis/],
  ['src/http/a.ts', 'function f(x: any) {}', /around the type check/],
  ['src/http/a.ts', 'const x = new Map<string, any>();', /around the type check/],
  ['src/http/a.ts', 'const x = y as any;', /around the type check/],
  ['src/http/a.ts', 'const x = y as string[];', /around the type check/],
  ['src/http/a.ts', 'f({} as { a: 1 });', /around the type check/],
  ['bench/a.ts', 'const x = y as unknown as string;', /around the type check/],
  ['src/http/a.ts', '// @ts-ignore: no time\nf();', /around a check: @ts-ignore/],
  ['src/http/a.ts', '// biome-ignore lint: no time\nf();', /around a check: biome-ignore/],
  ['src/http/a.ts', 'f();\n'.repeat(401), /401 lines/],
];

for (const [path, text, expected] of BAD) {
  test(`finds in ${path}: ${text.slice(0, 60).replaceAll('\n', ' ')}`, () => {
    const faults = check(path, text);
    assert.ok(
      faults.some((fault) => expected.test(fault)),
      `found: ${faults.join(', ') || 'nothing'}`,
    );
  });
}

const GOOD: readonly (readonly [string, string])[] = [
  ['src/core/a.ts', "import { x } from './topic.ts'; // import 'zod'"],
  ['src/ports/a.ts', "import type { Message } from '../core/message.ts';"],
  ['src/routing/a.ts', "/* Date.now() is not for us */ const text = 'new Date, setTimeout(), x as any';"],
  ['src/routing/a.ts', 'const rest = message.any + clock.setTimeout(f) + this.process.x;'],
  ['protocols/mqtt/a.ts', "import { isUtf8 } from 'node:buffer'; import { x } from './codec.ts';"],
  ['protocols/mqtt/a.ts', "const quote = /['\"`]/.test(x) ? a / b : c; // '"],
  ['adapters/jetstream/a.ts', "import { connect } from 'nats'; import net from 'node:net';"],
  ['src/transport/a.ts', "import { WebSocket } from 'ws'; import { pino } from 'pino'; const d = Date.now();"],
  ['src/http/a.ts', 'type Company = Map<string, Company>; const x = { any: 1 }; f(any.of);'],
  ['test/spec/a.ts', "import mqtt from 'mqtt-packet'; const x = y as any;"],
  [
    'src/http/a.ts',
    "import e, { a as b } from './c.ts'; export * as d from './d.ts'; export { f as g }; h(i.as, [] as const);",
  ],
  ['src/http/a.ts', 'f();\n'.repeat(400)],
];

for (const [path, text] of GOOD) {
  test(`lets pass in ${path}: ${text.slice(0, 60).replaceAll('\n', ' ')}`, () => {
    assert.equal(check(path, text), []);
  });
}

test('reads every form of import', () => {
  const text = [
    "import a from 'a';",
    "import { type B, c as d } from 'b';",
    "import * as e from 'c';",
    "import 'd';",
    "export { f } from 'e';",
    "export * from 'f';",
    "import type G from 'g';",
    "await import('h');",
    'import i from "i"',
  ].join('\n');
  const found = importsOf({ path: 'src/a.ts', text }).map(({ specifier }) => specifier);
  assert.equal(found.sort(), ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']);
});

test('blanking keeps code, places and lines', () => {
  const text = `a('x//y'); // b\n/* c\n */ d(\`e \${f({ g: \`\${h}\` })} '\`); i = j / k / l;\nm = /[/'"]/.n;`;
  const out = blank(text);
  assert.is(out.length, text.length);
  assert.is(out.split('\n').length, text.split('\n').length);
  assert.equal(out.match(/\w/g), ['a', 'd', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n']);
});

test.run();
