import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { type Outcome, read } from './support/uvu-output.ts';

/**
 * Runs every test file, two at a time, each in a process of its own, and adds up what uvu says. Arguments are parts of
 * file names: only those files run. A file that reports no test is a failure. The last line is the result.
 */

const HERE = import.meta.dirname;
/** Where the sources are when this runs from dist/test. */
const SOURCES = join(HERE, '../../test');
const PARALLEL = 2;
/** Milliseconds a file may take, unless TEST_FILE_SECONDS says otherwise. */
const TIME_LIMIT = Number(process.env.TEST_FILE_SECONDS ?? 180) * 1000;
/** Folders without tests of their own. */
const SUPPORT = new Set(['support']);
/** Suites that the runners beside them call. */
const NOT_TESTS = new Set(['contract/backbone', 'contract/groups', 'contract/queues']);
/** Run by themselves, last: they measure memory or the disk, or start a browser. */
const ALONE = ['fault/bounds', 'fault/queues-waiting', 'fault/returning', 'fault/store-faults', 'interop/chat'];

const running = new Set<ChildProcess>();
/** What tests put into the temporary folder goes with it, whatever becomes of them. */
const folder = mkdtempSync(join(tmpdir(), 'trimaran-test-'));
process.on('exit', () => {
  for (const child of running) killGroup(child);
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    console.error(`${folder} could not be removed: ${String(error)}`);
  }
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

/** The process and all it has started. False when there was nothing to kill. */
function killGroup({ pid }: ChildProcess): boolean {
  try {
    return pid !== undefined && process.kill(-pid, 'SIGKILL');
  } catch {
    return false;
  }
}

/** Names relative to this folder, without the ending. */
function findTests(path = HERE): string[] {
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const found = join(path, entry.name);
    if (entry.isDirectory()) return SUPPORT.has(entry.name) ? [] : findTests(found);
    const name = relative(HERE, found).replace(/\.js$/, '');
    const isTest = entry.name.endsWith('.js') && found !== import.meta.filename && !NOT_TESTS.has(name);
    return isTest && !isStale(name) ? [name] : [];
  });
}

/** The compiler leaves behind what was compiled from sources that are gone. */
function isStale(name: string): boolean {
  return existsSync(SOURCES) && !existsSync(join(SOURCES, `${name}.ts`));
}

function run(name: string): Promise<Outcome> {
  const began = performance.now();
  const temporary = mkdtempSync(join(folder, 'file-'));
  const child = spawn(process.execPath, ['--enable-source-maps', '--expose-gc', resolve(HERE, `${name}.js`)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, that is ended as a whole.
    detached: true,
    env: { ...process.env, FORCE_COLOR: '0', TMPDIR: temporary },
  });
  running.add(child);
  const output: Buffer[] = [];
  let late = false;
  let left = false;
  const timer = setTimeout(() => {
    late = true;
    killGroup(child);
  }, TIME_LIMIT);
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  child.on('exit', () => {
    // What it left running would hold its output open.
    left = killGroup(child);
  });
  return new Promise((done) => {
    child.on('close', (code) => {
      clearTimeout(timer);
      running.delete(child);
      rmSync(temporary, { recursive: true, force: true, maxRetries: 3 });
      const text = Buffer.concat(output).toString();
      const outcome = read(text, code);
      report(name, outcome, (performance.now() - began) / 1000, late);
      if (left && !late) console.log('    note: it left processes running; they were killed');
      for (const line of outcome.remarks) console.log(`    ${line}`);
      if (outcome.failed > 0) console.log(text);
      done(outcome);
    });
  });
}

function report(name: string, { passed, failed, fault }: Outcome, seconds: number, late: boolean): void {
  const why = late ? `took longer than ${TIME_LIMIT / 1000} s` : fault;
  const verdict = failed === 0 ? 'ok' : `FAILED${why === undefined ? '' : `: ${why}`}`;
  console.log(
    `${name.padEnd(44)} ${String(passed).padStart(4)} passed ${seconds.toFixed(1).padStart(6)} s  ${verdict}`,
  );
}

async function runAll(names: readonly string[], parallel: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const waiting = [...names];
  const worker = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) outcomes.push(await run(name));
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return outcomes;
}

const wanted = process.argv.slice(2);
const names = findTests()
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .sort();
const alone = names.filter((name) => ALONE.some((start) => name.startsWith(start)));
const beside = names.filter((name) => !alone.includes(name));
const outcomes = [...(await runAll(beside, PARALLEL)), ...(await runAll(alone, 1))];
if (outcomes.length === 0) console.log(`no test file's name contains ${wanted.join(' or ')}`);

const sum = (key: 'passed' | 'failed' | 'skipped'): number => outcomes.reduce((total, { [key]: n }) => total + n, 0);
const skipped = sum('skipped');
console.log(`\n${sum('passed')} passed, ${sum('failed')} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = sum('failed') > 0 || outcomes.length === 0 ? 1 : 0;
