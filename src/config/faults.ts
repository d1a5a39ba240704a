/** What is wrong with a configuration, in words for the person who wrote it. */

export interface ConfigFault {
  /** `trimaran.yaml:3:11`, `--set`, or the name of an environment variable. */
  readonly where: string;
  /** Dotted, with `[2]` for list entries; empty when the fault is not about a key. */
  readonly key: string;
  /** What was found and what was expected. */
  readonly message: string;
}

export class ConfigError extends Error {
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    super([faultsHeading(faults), ...faultLines(faults).map((line) => `  ${line}`)].join('\n'));
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

export function faultsHeading(faults: readonly ConfigFault[]): string {
  return faults.length === 1 ? 'the configuration has a fault:' : `the configuration has ${faults.length} faults:`;
}

/** More help nobody; a wrong file has thousands. */
const MAX_LINES = 50;

export function faultLines(faults: readonly ConfigFault[]): string[] {
  const lines = faults.slice(0, MAX_LINES).map(faultLine);
  if (faults.length > MAX_LINES) lines.push(`and ${faults.length - MAX_LINES} more`);
  return lines;
}

function faultLine({ where, key, message }: ConfigFault): string {
  return [where, key, message].filter((part) => part !== '').join(': ');
}

export function keyName(path: readonly PropertyKey[]): string {
  let name = '';
  for (const word of path) {
    if (typeof word === 'number') name += `[${word}]`;
    else name += (name === '' ? '' : '.') + printable(String(word));
  }
  return name;
}

const MAX_SHOWN = 60;

/** A found value, short, on one line, and without a password that an address may hold. */
export function found(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return 'nothing';
    case 'string':
      return value === '' ? 'an empty text' : `the text ${JSON.stringify(shorten(hidePassword(value)))}`;
    case 'number':
    case 'boolean':
      return String(value);
    case 'object':
      if (value === null) return 'nothing';
      return Array.isArray(value) ? 'a list' : 'a section';
    default:
      return `a ${typeof value}`;
  }
}

export function hidePassword(text: string): string {
  // Word by word: a pattern that looks for the @ itself takes quadratic time.
  return text.replace(/[^\s/,]+/g, (word) => (word.includes('@') ? `***${word.slice(word.lastIndexOf('@'))}` : word));
}

export function shorten(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

/** Names of unknown keys come from the file as they are: control characters must not reach the terminal. */
export function printable(text: string): string {
  return shorten(/^[\w$-]+$/.test(text) ? text : JSON.stringify(text));
}
