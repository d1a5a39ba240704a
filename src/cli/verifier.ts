import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { BoundedDerivation } from '../security/key-derivation.ts';
import { saslprep } from '../security/saslprep.ts';
import {
  formatVerifier,
  isMethod,
  LEAST_ITERATIONS,
  looksLikeVerifier,
  METHODS,
  MOST_ITERATIONS,
  makeVerifier,
  SALT_BYTES,
} from '../security/verifier.ts';
import { type Invocation, UsageError } from './arguments.ts';

/** Passwords are short; a file given by mistake must not be read whole. */
const MAX_BYTES = 65_536;

interface Screen {
  write(text: string): unknown;
}

/** What `verifier` prints. The password does not come as an argument: those are seen by everyone on the machine. */
export async function verifierText(options: Invocation, input: Readable, screen: Screen): Promise<string> {
  const { method = 'SCRAM-SHA-256', iterations = `${LEAST_ITERATIONS}` } = options;
  if (!isMethod(method)) throw wrong(`--method ${method}: expected ${Object.keys(METHODS).join(' or ')}`);
  const count = /^\d{1,9}$/.test(iterations) ? Number(iterations) : 0;
  if (count < LEAST_ITERATIONS || count > MOST_ITERATIONS)
    throw wrong(`--iterations ${iterations}: expected a whole number from ${LEAST_ITERATIONS} to ${MOST_ITERATIONS}`);
  const terminal = 'isTTY' in input && input.isTTY === true;
  if (terminal) screen.write('Password (it is shown as it is typed): ');
  const password = await readLine(input);
  const prepared = saslprep(password);
  if (prepared === undefined || prepared === '')
    throw wrong(
      'expected a password, in UTF-8 and without control characters, as the first line of the standard input',
    );
  if (looksLikeVerifier(password)) throw wrong('found a verifier on the standard input, expected a password');
  const derivation = new BoundedDerivation({ passwordChecks: 1, passwordChecksWaiting: 0 });
  const shape = { hash: METHODS[method], iterations: count, salt: randomBytes(SALT_BYTES) };
  return `${formatVerifier(await makeVerifier(derivation, prepared, shape))}\n`;
}

function wrong(message: string): UsageError {
  return new UsageError(message, 'verifier');
}

/** Without its line end. What is not UTF-8 becomes a text that no password may be. */
async function readLine(input: Readable): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of input) {
    const chunk = Buffer.from(part);
    parts.push(chunk);
    bytes += chunk.length;
    if (chunk.includes(LINE_FEED)) break;
    if (bytes > MAX_BYTES) throw wrong(`found no line end within ${MAX_BYTES} bytes of the standard input`);
  }
  const all = Buffer.concat(parts);
  const end = all.indexOf(LINE_FEED);
  return all
    .toString('utf8', 0, end === -1 ? all.length : end)
    .replace(/\r$/, '')
    .replaceAll('\ufffd', '\0');
}

const LINE_FEED = 0x0a;
