import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename, join, relative } from 'node:path';

/**
 * Runs every test file, two at a time, each in a process of its own, and adds up what uvu says. Arguments are parts of
 * file names: only those files run. A file that reports no test is a failure.
 */

const HERE = import.meta.dirname;
const PARALLEL = 2;
/** Milliseconds a file may take. */
const TIME_LIMIT = 180_000;
/** Folders without tests of their own. */
const SUPPORT = new Set(['support']);
/** This file, and suites that their runners beside them call. */
const NOT_TESTS = new Set(['run.js', join('contract', 'backbone.js')]);
/** Run by themselves, last: they measure memory or start a browser. */
const ALONE = ['/fault/', '/interop/'];

interface Result {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const running = new Set<ChildProcess>();
process.on('exit', stopAll);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

function stopAll(): void {
  for (const { pid } of running) {
    try {
      // Its whole process group: what it started goes with it.
      if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    } catch {}
  }
}

function findTests(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SUPPORT.has(entry.name) ? [] : findTests(path);
    return entry.name.endsWith('.js') && !NOT_TESTS.has(relative(HERE, path)) ? [path] : [];
  });
}

function count(output: string, name: string): number {
  return [...output.matchAll(new RegExp(`^\\s*${name}:\\s+(\\d+)`, 'gm'))].reduce((sum, [, n]) => sum + Number(n), 0);
}

function run(file: string): Promise<Result> {
  const began = performance.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--enable-source-maps', '--expose-gc', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, FORCE_COLOR: '0' },
    });
    running.add(child);
    let output = '';
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, TIME_LIMIT);
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      running.delete(child);
      const total = count(output, 'Total');
      const passed = count(output, 'Passed');
      const skipped = count(output, 'Skipped');
      // A file that dies half way has not reported its failures: it is at least one.
      const failed = Math.max(total - passed, code === 0 && total + skipped > 0 ? 0 : 1);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      const verdict = late ? `took longer than ${TIME_LIMIT / 1000} s` : failed > 0 ? 'FAILED' : 'ok';
      console.log(
        `${relative(HERE, file).replace(/\.js$/, '').padEnd(44)} ${String(passed).padStart(4)} passed ${seconds.padStart(6)} s  ${verdict}`,
      );
      for (const [line] of output.matchAll(/^(skipped|measured): .*$/gm)) console.log(`    ${line}`);
      if (failed > 0) console.log(output);
      resolve({ passed, failed, skipped });
    });
  });
}

async function runAll(files: readonly string[], parallel: number): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = [...files];
  const worker = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) results.push(await run(file));
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return results;
}

const wanted = process.argv.slice(2);
const files = findTests(HERE)
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort((a, b) => basename(a).localeCompare(basename(b)));
const alone = files.filter((file) => ALONE.some((part) => file.includes(part)));
const results = [
  ...(await runAll(
    files.filter((file) => !alone.includes(file)),
    PARALLEL,
  )),
  ...(await runAll(alone, 1)),
];
const sum = (key: keyof Result): number => results.reduce((total, result) => total + result[key], 0);
console.log(
  `\n${sum('passed')} passed, ${sum('failed')} failed${sum('skipped') > 0 ? `, ${sum('skipped')} skipped` : ''}`,
);
process.exitCode = sum('failed') > 0 || results.length === 0 ? 1 : 0;
