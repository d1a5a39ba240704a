import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type Document, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, Parser, parseDocument } from 'yaml';
import { type ConfigFault, shorten } from './faults.ts';

/** A configuration is a few kilobytes; a device or a log file given by mistake must not be read whole. */
const MAX_BYTES = 1024 * 1024;
const CHUNK = 64 * 1024;

/** Where in the file a key, or its value, stands: `file:line:column`. */
export type Locate = (path: readonly PropertyKey[], at: 'key' | 'value') => string;

export interface YamlFile {
  /** undefined when the file could not be understood at all. */
  readonly content: unknown;
  readonly faults: readonly ConfigFault[];
  readonly locate: Locate;
}

export function readYamlFile(file: string): YamlFile {
  const locate = (): string => file;
  const failed = (message: string): YamlFile => ({
    content: undefined,
    faults: [{ where: file, key: '', message }],
    locate,
  });
  let bytes: Buffer;
  try {
    bytes = readBounded(file);
  } catch (error) {
    return failed(readFault(error));
  }
  if (bytes.length > MAX_BYTES) return failed(`is larger than ${MAX_BYTES} bytes, expected a YAML file of settings`);
  let source: string;
  try {
    source = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return failed('is not UTF-8 text, expected a YAML file');
  }
  return parseYaml(source, file);
}

function readBounded(file: string): Buffer {
  const descriptor = openSync(file, 'r');
  try {
    if (fstatSync(descriptor).isDirectory()) throw new Error('is a directory, expected a YAML file');
    const parts: Buffer[] = [];
    let total = 0;
    while (total <= MAX_BYTES) {
      const part = Buffer.allocUnsafe(CHUNK);
      const count = readSync(descriptor, part);
      if (count === 0) break;
      parts.push(part.subarray(0, count));
      total += count;
    }
    return Buffer.concat(parts);
  } finally {
    closeSync(descriptor);
  }
}

function readFault(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'does not exist';
  if (code === 'ENOTDIR') return 'does not exist; a part of the path is a file';
  if (code === 'EACCES') return 'may not be read by this user';
  const reason = error instanceof Error ? error.message : String(error);
  return code === undefined ? reason : `cannot be read: ${reason}`;
}

export function parseYaml(source: string, file: string): YamlFile {
  const lines = new LineCounter();
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${Math.max(1, line)}:${Math.max(1, col)}`;
  };
  const fault = (where: string, message: string): ConfigFault => ({ where, key: '', message });
  const faults: ConfigFault[] = [];
  const unreadable = (): YamlFile => ({ content: undefined, faults, locate: () => file });
  if (tooDeep(source)) {
    faults.push(fault(file, `is nested more than ${MAX_DEPTH} levels deep, expected a YAML file of settings`));
    return unreadable();
  }
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  let broken = false;
  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    const duplicate = code === 'DUPLICATE_KEY';
    const text = duplicate
      ? 'found a key for the second time in its section'
      : `found invalid YAML: ${shortLine(message)}`;
    faults.push(fault(place(pos[0]), text));
    broken ||= !duplicate;
  }
  if (broken) return unreadable();
  const locate: Locate = (path, at) => place(offsetOf(document, path, at));
  try {
    return { content: document.toJS({ maxAliasCount: MAX_ALIASES }), faults, locate };
  } catch (error) {
    // Aliases that expand without bound, or that name no anchor.
    faults.push(
      fault(file, `found invalid YAML: ${shortLine(error instanceof Error ? error.message : String(error))}`),
    );
    return unreadable();
  }
}

const MAX_ALIASES = 100;
const MAX_DEPTH = 32;

/** The YAML library composes by recursion, and a stack that runs out there can abort the process: look first. */
export function tooDeep(source: string): boolean {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(source)) {
    for (const _ of parser.next(lexeme));
    if (parser.stack.length > MAX_DEPTH) return true;
  }
  return false;
}

function shortLine(text: string): string {
  const line = text.split('\n', 1)[0] ?? '';
  return line.length > 200 ? shorten(line) : line;
}

/** Offset of the path's end; of the deepest part that exists, if it does not. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[], at: 'key' | 'value'): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const [depth, word] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    let next: unknown;
    if (isMap(node)) {
      // Of a key that stands twice the last one counts.
      const pair = node.items.findLast(({ key }) => (isScalar(key) ? String(key.value) : String(key)) === String(word));
      if (pair === undefined) return offset;
      const key = startOf(pair.key) ?? offset;
      if (depth === path.length - 1 && at === 'key') return key;
      offset = isEmpty(pair.value) ? key : (startOf(pair.value) ?? key);
      next = pair.value;
    } else if (isSeq(node) && typeof word === 'number') {
      next = node.items[word];
      offset = startOf(next) ?? offset;
    } else {
      return offset;
    }
    node = next;
  }
  return offset;
}

/** A key with nothing behind its colon: the place of the key is easier to find than the place of nothing. */
function isEmpty(node: unknown): boolean {
  return isScalar(node) && node.value === null && node.source === '';
}

function startOf(node: unknown): number | undefined {
  return isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range?.[0] : undefined;
}
