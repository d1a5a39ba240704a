import { z } from 'zod';
import { saslprep } from '../security/saslprep.ts';
import type { UserEntry } from '../security/users.ts';
import {
  LEAST_ITERATIONS,
  looksLikeVerifier,
  MOST_ITERATIONS,
  parseVerifier,
  VERIFIER_FORM,
} from '../security/verifier.ts';
import { found } from './faults.ts';
import { type Form, integer, secret } from './field.ts';

/** The section `security`: who may log in. Nothing that may be a password is ever shown. */

const SALT_SECRET: Form = {
  allowed: 'a text of 16 characters or more, or empty',
  test: (value) => value === '' || (value.length >= 16 && !value.includes('\0')),
};

const ALLOWED = `a list of users, each with name and password: a text, or ${VERIFIER_FORM}`;

const users = z
  .custom<readonly UserEntry[]>()
  .transform((given, context) =>
    // A fault that explains itself: `validate` shows its message as it is.
    readUsers(given, (path, message, explained = 'value') =>
      context.addIssue({ code: 'custom', path, message, params: { explained } }),
    ),
  )
  .default([])
  .meta({
    description:
      'Who may log in. With users everyone must, on this machine too; without them only clients on this machine are served. A verifier ("trimaran verifier" makes one) does not hold the password itself',
    allowed: ALLOWED,
    secret: true,
    type: 'array',
    items: {
      type: 'object',
      properties: { name: { type: 'string' }, password: { type: 'string' } },
      required: ['name', 'password'],
      additionalProperties: false,
    },
  });

export const section = z.strictObject({
  users,
  scramIterations: integer(
    LEAST_ITERATIONS,
    LEAST_ITERATIONS,
    MOST_ITERATIONS,
    'Work that a login takes where the password is given as a text, for the client and for this broker; a verifier has its own',
    'iterations',
  ),
  saltSecret: secret(
    '',
    SALT_SECRET,
    'Makes the salts of passwords given as texts, and those shown for names that nobody has. Empty: another one at each start and on each broker, by which one who asks again can tell verifiers from unknown names',
  ),
});

/** `at`: what is wrong, the key itself or its value (which is usual). */
type Report = (path: PropertyKey[], message: string, at?: 'key' | 'value') => void;

const MAX_USERS = 10_000;
const MAX_NAME = 256;
const NAME = `expected a name of 1 to ${MAX_NAME} characters, without control characters and the like (RFC 4013)`;

function readUsers(given: unknown, report: Report): UserEntry[] {
  if (!Array.isArray(given) || given.length > MAX_USERS) {
    const count = Array.isArray(given) ? ` of ${given.length} entries` : '';
    report([], `found ${hidden(given)}${count}, expected ${ALLOWED}; at most ${MAX_USERS}`);
    return [];
  }
  const places = new Map<string, number>();
  return given.flatMap((entry: unknown, index) => {
    const user = readUser(entry, (path, message, at) => report([index, ...path], message, at));
    if (user === undefined) return [];
    const before = places.get(user.name);
    if (before !== undefined)
      report([index, 'name'], `found the name of security.users[${before}] again, expected each user once`);
    places.set(user.name, before ?? index);
    return [user];
  });
}

function readUser(entry: unknown, report: Report): UserEntry | undefined {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    report([], `found ${hidden(entry)}, expected a section with name and password`);
    return undefined;
  }
  const { name, password, ...others }: { name?: unknown; password?: unknown } = entry;
  for (const other of Object.keys(others)) report([other], 'found an unknown key; a user has name and password', 'key');
  const known = readName(name);
  if (known === undefined) report(['name'], `found ${found(name)}, ${NAME}`);
  const fault = passwordFault(password);
  if (fault !== undefined) report(['password'], fault);
  return known === undefined || typeof password !== 'string' ? undefined : { name: known, password };
}

/** As it is compared: prepared. */
function readName(name: unknown): string | undefined {
  const prepared = typeof name === 'string' ? saslprep(name) : undefined;
  return prepared === undefined || prepared === '' || prepared.length > MAX_NAME ? undefined : prepared;
}

function passwordFault(password: unknown): string | undefined {
  const expected = `expected a password that is not empty, or ${VERIFIER_FORM}`;
  if (typeof password !== 'string' || password === '') return `found ${hidden(password)}, ${expected}`;
  if (looksLikeVerifier(password)) {
    const verifier = parseVerifier(password);
    return typeof verifier === 'string' ? `found a verifier that ${verifier}` : undefined;
  }
  const prepared = saslprep(password);
  if (prepared === undefined || prepared === '')
    return 'found characters that passwords may not have, such as control characters (RFC 4013)';
  return undefined;
}

function hidden(value: unknown): string {
  // A number may be a password without its quotes.
  if (typeof value === 'number') return 'a number';
  return typeof value === 'string' && value !== '' ? 'a text' : found(value);
}
