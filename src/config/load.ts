import { parseDocument } from 'yaml';
import { ConfigError, type ConfigFault, found, keyName, shorten } from './faults.ts';
import { findNode, type Key, keys, root, type Section, suggestVariable, VARIABLE_PREFIX } from './keys.ts';
import type { Config, ConfigInput } from './schema.ts';
import { conflicts, type Finding, isTree, type Tree, unknownKeyMessage, validate, valueAt } from './validate.ts';
import { type Locate, readYamlFile, tooDeep } from './yaml-file.ts';

export { ConfigError, type ConfigFault } from './faults.ts';
export { environmentName } from './keys.ts';
export type { Config, ConfigInput } from './schema.ts';

export interface Sources {
  /** A YAML file. */
  readonly file?: string | undefined;
  /** `key=value`, as given to --set. */
  readonly set?: readonly string[] | undefined;
  /** Those that begin with TRIMARAN_ are looked at. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/** A key that has not its default's place, and where its value came from. */
export interface Origin {
  readonly key: Key;
  readonly where: string;
}

export interface Loaded {
  readonly config: Config;
  /** Only the keys that some source sets. */
  readonly origins: readonly Origin[];
}

/** One source of settings; later ones win. */
interface Layer {
  readonly content: unknown;
  readonly locate: Locate;
}

/**
 * Defaults, then the file, then the environment, then --set. Throws a ConfigError that lists all faults of all sources.
 */
export function loadConfig(sources: Sources): Config {
  return loadWithOrigins(sources).config;
}

/** The same, and where each value came from. */
export function loadWithOrigins({ file, set = [], env = {} }: Sources): Loaded {
  const faults: ConfigFault[] = [];
  const layers: Layer[] = [];
  if (file !== undefined) {
    const read = readYamlFile(file);
    faults.push(...read.faults);
    if (read.content !== undefined) layers.push(read);
  }
  layers.push(...environmentLayers(env, faults), ...set.flatMap((text) => assignmentLayer(text, faults)));
  return combine(layers, faults);
}

/** For programs that embed the broker. Throws a ConfigError with all faults. */
export function resolveConfig(options: ConfigInput = {}): Config {
  return combine([{ content: options, locate: () => 'options' }], []).config;
}

/** Each source is checked by itself, so that a fault is found even where a later source hides it. */
function combine(layers: readonly Layer[], faults: ConfigFault[]): Loaded {
  for (const { content, locate } of layers) {
    const result = validate(content);
    if ('findings' in result) {
      // As they stand in the file, from top to bottom.
      const inOrder = (a: ConfigFault, b: ConfigFault): number => LINES.compare(a.where, b.where);
      faults.push(...result.findings.map((finding) => placed(finding, locate)).sort(inOrder));
    }
  }
  if (faults.length > 0) throw new ConfigError(faults);
  const result = validate(layers.reduce<Tree>((tree, { content }) => merge(tree, content), {}));
  const locate: Locate = (path, at) => layers.findLast(({ content }) => has(content, path))?.locate(path, at) ?? '';
  const findings =
    'findings' in result ? result.findings : conflicts(result.config, (path) => locate(path, 'value') !== '');
  if ('findings' in result || findings.length > 0) throw new ConfigError(findings.map((each) => placed(each, locate)));
  const origins = keys.map((key) => ({ key, where: locate(key.path, 'value') })).filter(({ where }) => where !== '');
  return { config: result.config, origins };
}

const LINES = new Intl.Collator('en', { numeric: true });

function placed({ path, at, message }: Finding, locate: Locate): ConfigFault {
  return { where: locate(path, at), key: keyName(path), message };
}

function has(content: unknown, path: readonly PropertyKey[]): boolean {
  return valueAt(content, path) !== undefined;
}

/** Both are valid; lists are replaced, not joined. */
function merge(under: Tree, over: unknown): Tree {
  if (!isTree(over)) return under;
  const merged: Record<string, unknown> = { ...under };
  for (const [word, value] of Object.entries(over)) {
    if (value === undefined || value === null) continue;
    const below = merged[word];
    merged[word] = isTree(value) ? merge(isTree(below) ? below : {}, value) : value;
  }
  return merged;
}

function environmentLayers(env: NodeJS.ProcessEnv, faults: ConfigFault[]): Layer[] {
  const byVariable = new Map(keys.map((key) => [key.variable, key]));
  const layers: Layer[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(VARIABLE_PREFIX) || text === undefined || isServiceLink(name, text)) continue;
    const key = byVariable.get(name);
    if (key !== undefined) {
      layers.push(textLayer(key, text, name));
      continue;
    }
    const suggestion = suggestVariable(name);
    const hint = suggestion === undefined ? 'trimaran keys lists them all' : `did you mean ${suggestion}?`;
    faults.push({ where: shorten(name), key: '', message: `found a variable that stands for no key; ${hint}` });
  }
  return layers;
}

/** Kubernetes describes each service to each container by variables; for one named trimaran they begin as ours do. */
function isServiceLink(name: string, text: string): boolean {
  if (/_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?$/.test(name)) return true;
  return /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name) || /^(tcp|udp|sctp):\/\//.test(text);
}

function assignmentLayer(text: string, faults: ConfigFault[]): Layer[] {
  const equals = text.indexOf('=');
  if (equals < 1) {
    faults.push({ where: '--set', key: '', message: `found ${found(text)}, expected key=value` });
    return [];
  }
  const name = text.slice(0, equals).trim();
  const node = findNode(name);
  if (node === undefined) {
    faults.push({ where: '--set', key: keyName(name.split('.')), message: unknownKeyMessage(name, parentOf(name)) });
    return [];
  }
  return [textLayer(node, text.slice(equals + 1), '--set')];
}

function parentOf(name: string): Key | Section {
  for (let end = name.lastIndexOf('.'); end > 0; end = name.lastIndexOf('.', end - 1)) {
    const node = findNode(name.slice(0, end));
    if (node !== undefined) return node;
  }
  return root;
}

function textLayer(node: Key | Section, text: string, where: string): Layer {
  let content: unknown = parseText(node, text.trim());
  for (const word of node.path.toReversed()) content = { [word]: content };
  return { content, locate: () => where };
}

/**
 * YAML, but texts need no quotes: `*`, `::1` or `12` mean themselves where a text is expected. What is not YAML
 * is left as it is, for validation to refuse.
 */
function parseText(node: Key | Section, text: string): unknown {
  const plain = node.kind === 'text' || node.kind === 'list';
  if (plain && !/^["']/.test(text) && !(node.kind === 'list' && text.startsWith('['))) return text;
  try {
    if (tooDeep(text)) return text;
    const document = parseDocument(text, { prettyErrors: false, logLevel: 'error' });
    return document.errors.length + document.warnings.length > 0 ? text : document.toJS();
  } catch {
    return text;
  }
}
