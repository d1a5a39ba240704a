import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

/** The examples, as users run them; each checks itself. This file runs compiled, from dist/test/interop. */

const FOLDER = join(import.meta.dirname, '../../../examples');
const NOT_EXAMPLES = ['run.mjs', 'clients.mjs'];
/** Of a minute's load. */
const PEAK_SECONDS = '6';

const test = suite('interop/examples');
const names = readdirSync(FOLDER).filter((name) => name.endsWith('.mjs') && !NOT_EXAMPLES.includes(name));

test('there are the twelve', () => {
  assert.is(names.length, 12);
});

for (const name of names.map((each) => each.slice(0, -'.mjs'.length)).sort()) {
  test(name, async () => {
    const child = spawn(process.execPath, [join(FOLDER, 'run.mjs'), name], {
      env: { ...process.env, EXAMPLE_SECONDS: PEAK_SECONDS },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
    const code = await new Promise((resolve) => child.on('close', resolve));
    clearTimeout(timer);
    assert.is(code, 0, output);
    assert.match(output, new RegExp(`--- ${name}: done`));
  });
}

test.run();
