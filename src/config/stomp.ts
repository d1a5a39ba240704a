import { z } from 'zod';
import { saslprep } from '../security/saslprep.ts';
import type { UserEntry } from '../security/users.ts';
import { looksLikeVerifier } from '../security/verifier.ts';
import { found } from './faults.ts';
import { type Form, flag, integer, secret, text } from './field.ts';
import { ANY_TEXT } from './forms.ts';

/** The section `stomp`: what STOMP clients need not say. */

const PASSWORD: Form = {
  allowed: 'the password itself, not a verifier; or empty',
  test: (value) => ANY_TEXT.test(value) && !looksLikeVerifier(value),
};

export const section = z.strictObject({
  implicitConnect: flag(
    false,
    'Whether a connection whose first frame is not CONNECT is logged in by it, as the default user and by the rules of STOMP 1.0; it gets no CONNECTED',
  ),
  heldReceiptMilliseconds: integer(
    1500,
    0,
    3_600_000,
    'How long a client that asked for receipts of frames within a transaction is silent until it is given them; else they come with COMMIT, when the transaction is durable. Some clients send no COMMIT before (Net::Stomp, PHP); 0: never',
    'milliseconds',
  ),
  defaultUser: z
    .strictObject({
      name: text(
        '',
        ANY_TEXT,
        'User whose name and password are taken where a login has neither; empty: none. It is one of security.users, and means nothing without them',
      ),
      password: secret('', PASSWORD, 'The password of that user'),
    })
    .prefault({}),
});

interface Finding {
  readonly path: PropertyKey[];
  readonly message: string;
}

/** A default user that could never log in. */
export function stompConflicts(config: {
  readonly stomp: { readonly defaultUser: { readonly name: string; readonly password: string } };
  readonly security: { readonly users: readonly UserEntry[] };
}): Finding[] {
  const { name, password } = config.stomp.defaultUser;
  const at = (key: string, message: string): Finding[] => [{ path: ['stomp', 'defaultUser', key], message }];
  if (name === '')
    return password === '' ? [] : at('name', 'found nothing, expected the name that the password belongs to');
  if (password === '') return at('password', `found nothing, expected the password of ${JSON.stringify(name)}`);
  const { users } = config.security;
  const known = users.length === 0 || users.some((user) => user.name === saslprep(name));
  return known ? [] : at('name', `found ${found(name)}, expected the name of one of security.users`);
}
