#!/usr/bin/env node
import { parseArguments, UsageError } from './cli/arguments.ts';
import { describeConfig } from './cli/check.ts';
import { helpText, keysText } from './cli/help.ts';
import { verifierText } from './cli/verifier.ts';
import { ConfigError, faultLines, faultsHeading } from './config/faults.ts';
import { loadConfig } from './config/load.ts';
import { version } from './version.ts';

/** The command line. Exit codes: 0 done, 1 the broker could not start or failed, 2 wrong usage or configuration. */

async function main(args: readonly string[]): Promise<void> {
  const invocation = parseArguments(args);
  const { command, action, config, set } = invocation;
  const sources = { file: config, set, env: process.env };
  if (action === 'version') {
    process.stdout.write(`${version()}\n`);
  } else if (action === 'help') {
    process.stdout.write(helpText(command));
  } else if (command === 'keys') {
    process.stdout.write(keysText());
  } else if (command === 'verifier') {
    process.stdout.write(await verifierText(invocation, process.stdin, process.stderr));
  } else if (command === 'check-config') {
    process.stdout.write(describeConfig(sources));
  } else {
    const loaded = loadConfig(sources);
    // Only now: help and check-config answer at once, and even where a part of the broker cannot be loaded.
    const { startBroker } = await import('./cli/start.ts');
    await startBroker(loaded, version());
  }
}

function fail(error: unknown): never {
  const say = (lines: readonly string[]): boolean => process.stderr.write(lines.map((line) => `${line}\n`).join(''));
  if (error instanceof UsageError) {
    say([
      `trimaran: ${error.message}`,
      `See: trimaran ${error.command === undefined ? '' : `${error.command} `}--help`,
    ]);
    process.exit(2);
  }
  if (error instanceof ConfigError) {
    say([`trimaran: ${faultsHeading(error.faults)}`, ...faultLines(error.faults).map((line) => `  ${line}`)]);
    process.exit(2);
  }
  // What the broker or the system says with a code is meant for people; Node's own ERR_… and whatever else comes are
  // mistakes of this program, to be reported with where they happened.
  const expected = error instanceof Error && 'code' in error && !String(error.code).startsWith('ERR_');
  say([`trimaran: ${expected ? error.message : error instanceof Error ? error.stack : String(error)}`]);
  process.exit(1);
}

// `trimaran keys | head -1`: the reader has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

try {
  await main(process.argv.slice(2));
} catch (error) {
  fail(error);
}
