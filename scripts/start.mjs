// `npm start`: builds, then becomes the broker in this process, so that signals reach it.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
// On a busy machine it takes a while.
console.error('Building Trimaran');
const build = spawnSync('npm', ['run', '--silent', 'build'], {
  cwd: root,
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
if (build.status !== 0) process.exit(build.status ?? 1);
process.argv.splice(2, 0, 'start');
await import('../dist/src/main.js');

// npm passes SIGTERM to the shell between it and this process, which dies without passing it on: losing that parent is
// the signal. (`exec` in the script would do, but not on Windows.)
const parent = process.ppid;
const watch = setInterval(() => {
  if (process.ppid === parent) return;
  clearInterval(watch);
  process.kill(process.pid, 'SIGTERM');
}, 200).unref();
