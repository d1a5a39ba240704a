import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import { blank } from './source-text.ts';

/** The rules that DESIGN section 5 and ARCHITECTURE.md set for the sources, as a function over their text. */

export interface Source {
  /** Relative to the repository, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** Longest file, in lines. Aim for 300. */
const LINES = 400;

/** Packages with one home. */
const HOMES: Readonly<Record<string, string>> = {
  nats: 'adapters/jetstream/',
  'classic-level': 'adapters/embedded/',
  ws: 'src/transport/',
  stompit: 'adapters/stomp-bridge/',
  aedes: 'adapters/aedes/',
  mqemitter: 'adapters/aedes/',
};

/** What of Node a deterministic part may use: functions of their arguments alone. */
const PURE_MODULES = new Set(['node:buffer', 'node:string_decoder']);

/** What reads the clock, draws lots, waits, or looks at the environment. */
const CHANCE_AND_TIME = [
  /(?<![.\w$#])Math\s*\.\s*random\b/,
  /(?<![.\w$#])Date\s*[.(]/,
  /\bnew\s+Date\b/,
  /(?<![.\w$#])(?:performance|process|crypto)\s*\./,
  /(?<![.\w$#])(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/,
  /\bglobalThis\b/,
];

const ESCAPES = [/[:<|&,(=]\s*any\b(?!\s*[:(=.?])/, /(?<![.\w$])as\s+(?!const\b)[\w{[(]+/];
/** The lists in which `as` is a new name. */
const RENAMES = /(?<![.\w$])(?:import|export)(?:\s+type)?\s*(?:[\w$]+\s*,\s*)?(?:\{[^}]*\}|\*\s*as\s+[\w$]+)/g;
const DIRECTIVES = /@ts-ignore|@ts-expect-error|@ts-nocheck|biome-ignore/;

interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** Each fault as `path:line: what`. `packages` are those that a production source may import. */
export function faultsOf(sources: readonly Source[], packages: readonly string[]): string[] {
  return sources.flatMap((source) => [
    ...importFaults(source, new Set(packages)),
    ...textFaults(source),
    ...lengthFaults(source),
  ]);
}

/** All static imports and exports from elsewhere, `import()`, and types by `import('…')`. */
export function importsOf({ text }: Source): Import[] {
  const code = blank(text, { keepStrings: true });
  // A string may hold what looks like an import, too.
  const bare = blank(text);
  const patterns = [
    /(?<![.\w$])(?:import|export)\b[^'"`;]*?\bfrom\s*(['"])([^'"]+)\1/g,
    /(?<![.\w$])import\s*(['"])([^'"]+)\1/g,
    /(?<![.\w$])(?:import|require)\s*\(\s*(['"`])([^'"`]+)\1/g,
  ];
  return patterns.flatMap((pattern) =>
    [...code.matchAll(pattern)]
      .filter(({ index }) => bare[index] === code[index])
      .map((match) => ({ specifier: match[2] ?? '', line: lineOf(code, match.index + match[0].length) })),
  );
}

function importFaults(source: Source, packages: ReadonlySet<string>): string[] {
  return importsOf(source).flatMap(({ specifier, line }) => {
    const fault = specifier.startsWith('.')
      ? relativeFault(source.path, specifier)
      : packageFault(source.path, specifier, packages);
    return fault === undefined ? [] : [`${source.path}:${line}: ${fault}`];
  });
}

function relativeFault(path: string, specifier: string): string | undefined {
  if (!/\.(?:ts|json)$/.test(specifier)) return `${specifier} does not end in .ts`;
  const target = posix.join(posix.dirname(path), specifier);
  const from = partOf(path);
  const to = partOf(target);
  const allowed = mayImport(from);
  const may = allowed?.some((each) => (each.endsWith('/') ? to.startsWith(each) : to === each)) ?? true;
  return may ? undefined : `${from} may not import ${to} (${target})`;
}

function packageFault(path: string, specifier: string, packages: ReadonlySet<string>): string | undefined {
  if (isTesting(path)) return undefined;
  const builtin = specifier.startsWith('node:') || builtinModules.includes(specifier);
  if (isDeterministic(path)) {
    return builtin && PURE_MODULES.has(specifier) ? undefined : `${partOf(path)} may not import ${specifier}`;
  }
  if (builtin) return undefined;
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  const home = HOMES[name];
  if (home !== undefined && !path.startsWith(home)) return `${name} is used in ${home} only`;
  return packages.has(name) ? undefined : `${name} is not among the dependencies`;
}

/** `src/core/topic.ts` is of `core`, `protocols/mqtt/codec.ts` of `protocols/mqtt`, `src/broker.ts` of `src`. */
function partOf(path: string): string {
  const [first = '', second = '', third] = path.split('/');
  if (first === 'src') return ['core', 'ports', 'routing'].includes(second) ? second : 'src';
  const hasParts = (first === 'protocols' || first === 'adapters') && third !== undefined;
  return hasParts ? `${first}/${second}` : first;
}

/** Parts, or with `/` all below; undefined: whatever it likes. What ships never imports tests or benchmarks. */
function mayImport(part: string): readonly string[] | undefined {
  if (part === 'core') return ['core'];
  if (part === 'ports') return ['core', 'ports'];
  if (part === 'routing') return ['core', 'ports', 'routing'];
  if (part.startsWith('protocols')) return ['core', 'ports', part];
  if (part.startsWith('adapters')) return ['core', 'ports', 'adapters/shared', part];
  if (part === 'src') return ['core', 'ports', 'routing', 'src', 'protocols/', 'adapters/'];
  return undefined;
}

function isDeterministic(path: string): boolean {
  const part = partOf(path);
  return part === 'core' || part === 'ports' || part === 'routing' || part.startsWith('protocols');
}

function isTesting(path: string): boolean {
  return path.startsWith('test/') || path.startsWith('bench/');
}

function textFaults({ path, text }: Source): string[] {
  if (path.startsWith('test/')) return [];
  const code = blank(text);
  const faults: string[] = [];
  const find = (pattern: RegExp, where: string, why: string): void => {
    for (const match of where.matchAll(new RegExp(pattern.source, 'g'))) {
      faults.push(`${path}:${lineOf(where, match.index)}: ${why}: ${match[0].trim()}`);
    }
  };
  if (isDeterministic(path)) for (const pattern of CHANCE_AND_TIME) find(pattern, code, 'not through a port');
  const statements = code.replace(RENAMES, (list) => list.replace(/[^\n]/g, ' '));
  for (const pattern of ESCAPES) find(pattern, statements, 'a way around the type check');
  find(DIRECTIVES, text, 'a way around a check');
  return faults;
}

function lengthFaults({ path, text }: Source): string[] {
  if (path.startsWith('test/')) return [];
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  return lines > LINES ? [`${path}:${LINES}: ${lines} lines; at most ${LINES}`] : [];
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}
