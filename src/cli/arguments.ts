import { parseArgs } from 'node:util';
import { nearest } from '../config/keys.ts';

/** The command line: what it may be, and what it was. */

export const COMMANDS = ['start', 'check-config', 'keys', 'verifier'] as const;
export type CommandName = (typeof COMMANDS)[number];

export interface Invocation {
  /** undefined: none was given. */
  readonly command: CommandName | undefined;
  readonly action: 'run' | 'help' | 'version';
  readonly config: string | undefined;
  readonly set: readonly string[];
  /** Of `verifier`. */
  readonly method: string | undefined;
  readonly iterations: string | undefined;
}

/** Wrong usage of the command line; the message says what was found and what was expected. */
export class UsageError extends Error {
  /** Whose help to read; undefined: the general one. */
  readonly command: CommandName | undefined;

  constructor(message: string, command?: CommandName) {
    super(message);
    this.name = 'UsageError';
    this.command = command;
  }
}

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  set: { type: 'string', multiple: true, short: 's' },
  method: { type: 'string' },
  iterations: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const;

/** Options of a command beside --help and --version. */
const TAKES: Readonly<Record<CommandName, readonly string[]>> = {
  start: ['config', 'set'],
  'check-config': ['config', 'set'],
  keys: [],
  verifier: ['method', 'iterations'],
};

/** What stands after an option. */
const NEEDS: Readonly<Record<string, string>> = {
  config: 'a file name',
  set: 'key=value',
  method: 'SCRAM-SHA-256 or SCRAM-SHA-512',
  iterations: 'a number',
};

export function parseArguments(args: readonly string[]): Invocation {
  // Not strict: our own messages say more, and always in the same words.
  const { tokens, values } = parseArgs({
    args: [...args],
    options: OPTIONS,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const words = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []));
  const stranger = tokens.find((token) => token.kind === 'option' && !Object.hasOwn(OPTIONS, token.name));
  if (stranger?.kind === 'option') {
    const known = knownCommand(words);
    throw new UsageError(unknownOption(stranger.rawName, known), known);
  }
  const command = commandOf(words);
  const given: Record<string, string[]> = {};
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const { name, rawName, value, inlineValue } = token;
    if (name === 'help' || name === 'version') {
      if (value !== undefined) throw new UsageError(`${rawName} takes no value, found ${value}`, command);
      continue;
    }
    if (value === undefined || value === '' || (inlineValue === false && value.startsWith('-'))) {
      throw new UsageError(`${rawName} needs ${NEEDS[name]} after it`, command);
    }
    if (command !== undefined && !TAKES[command].includes(name)) {
      throw new UsageError(`${command} takes no ${rawName}`, command);
    }
    const values = [...(given[name] ?? []), value];
    given[name] = values;
    if (values.length > 1 && name !== 'set')
      throw new UsageError(`one --${name} is expected, found ${values.length}`, command);
  }
  const { config, set = [], method, iterations } = given;
  const invocation = { command, config: config?.[0], set, method: method?.[0], iterations: iterations?.[0] };
  if (words.length > 1) throw new UsageError(`nothing is expected after ${command}, found ${words[1]}`, command);
  if (values.help === true) return { ...invocation, action: 'help', config: undefined };
  if (values.version === true) return { ...invocation, action: 'version', config: undefined };
  if (command === undefined && args.length > 0) throw new UsageError(`a command is expected: ${COMMANDS.join(', ')}`);
  return { ...invocation, action: command === undefined ? 'help' : 'run' };
}

function knownCommand([word]: readonly string[]): CommandName | undefined {
  return COMMANDS.find((name) => name === word);
}

function commandOf(words: readonly string[]): CommandName | undefined {
  const [word] = words;
  const command = knownCommand(words);
  if (word !== undefined && command === undefined) {
    const suggestion = nearest(word, COMMANDS);
    const hint = suggestion === undefined ? `expected ${COMMANDS.join(', ')}` : `did you mean ${suggestion}?`;
    throw new UsageError(`found an unknown command ${word}; ${hint}`);
  }
  return command;
}

function unknownOption(rawName: string, command: CommandName | undefined): string {
  const names = command === undefined ? Object.keys(OPTIONS) : [...TAKES[command], 'help', 'version'];
  const options = names.map((name) => `--${name}`);
  const suggestion = nearest(rawName, options);
  return `found an unknown option ${rawName}; ${suggestion === undefined ? `expected ${options.join(', ')}` : `did you mean ${suggestion}?`}`;
}
