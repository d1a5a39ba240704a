import { setImmediate as turn } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import type { Hash, KeyDerivation } from '../../../src/ports/authentication.ts';
import { BoundedDerivation } from '../../../src/security/key-derivation.ts';
import { UserAuthorizer } from '../../../src/security/user-authorizer.ts';
import { checkPassword, Users } from '../../../src/security/users.ts';
import { VECTORS } from './support/vectors.ts';

const test = suite('security: users');

const USERS = [
  { name: 'text', password: 'pass word' },
  { name: 'sha256', password: VECTORS[0].verifier },
  { name: 'sha512', password: VECTORS[1].verifier },
];
const peer = { name: 'test', loopback: true, transport: 'tcp' } as const;

/** Says what it was asked for. */
class Watched implements KeyDerivation {
  readonly asked: string[] = [];
  readonly #derivation = new BoundedDerivation({ passwordChecks: 4, passwordChecksWaiting: 100 });

  derive(hash: Hash, password: string, salt: Uint8Array, iterations: number): Promise<Uint8Array> {
    this.asked.push(`${hash} ${iterations} ${salt.length}`);
    return this.#derivation.derive(hash, password, salt, iterations);
  }
}

async function known(users = USERS): Promise<Users> {
  const made = new Users({ users, iterations: 5000, secret: Buffer.from('secret') });
  await made.start(new Watched());
  return made;
}

test('a password is checked against texts and verifiers alike', async () => {
  const users = await known();
  const check = async (name: string, password: string | Buffer): Promise<string | undefined> =>
    (await checkPassword(users, name, Buffer.from(password), new Watched()))?.name;
  assert.is(await check('text', 'pass word'), 'text');
  assert.is(await check('text', 'pass\u00a0word'), 'text', 'as SASLprep has it');
  assert.is(await check('sha256', 'pencil'), 'sha256');
  assert.is(await check('sha512', 'pencil'), 'sha512');
  for (const [name, password] of [
    ['text', 'pencil'],
    ['text', ''],
    ['sha256', 'Pencil'],
    ['sha512', VECTORS[1].verifier],
    ['nobody', 'pencil'],
    ['', ''],
    ['__proto__', 'x'],
    ['text', 'pass word\0'],
    ['text', Buffer.from([0x70, 0xff])],
  ] as const)
    assert.is(await check(name, password), undefined, `${name} ${password}`);
});

test('a name that no user has takes the same work as one of them', async () => {
  for (const user of USERS) {
    const users = await known([user]);
    const [mine, nobodys] = [new Watched(), new Watched()];
    await checkPassword(users, user.name, Buffer.from('x'), mine);
    await checkPassword(users, 'nobody', Buffer.from('x'), nobodys);
    assert.is(mine.asked.length, 1);
    assert.equal(nobodys.asked, mine.asked, user.name);
  }
});

test('limits.passwordChecks: so many at a time, so many wait, more are refused, and the event loop goes on', async () => {
  const limits = { passwordChecks: 1, passwordChecksWaiting: 2 };
  const authorizer = new UserAuthorizer(
    { users: [{ name: 'a', password: 'b' }], iterations: 50_000, secret: Buffer.alloc(32) },
    limits,
    (count) => new Uint8Array(count),
  );
  await authorizer.start();
  const done: number[] = [];
  const log = (password: string, index: number) =>
    Promise.resolve(
      authorizer.authenticate({
        peer,
        protocol: 'mqtt',
        clientId: 'c',
        userName: 'a',
        password: Buffer.from(password),
      }),
    ).then((verdict) => {
      done.push(index);
      return typeof verdict === 'string' ? verdict : verdict.name;
    });
  const all = ['b', 'x', 'b', 'b', 'b'].map(log);
  await turn();
  await turn();
  assert.equal(done, [3, 4], 'only those that are refused are done at once');
  assert.equal(await Promise.all(all), ['a', 'badCredentials', 'a', 'busy', 'busy']);
  assert.equal(done.slice(2), [0, 1, 2], 'in their order');
  assert.is(await log('b', 9), 'a', 'there is room again');
});

test('who shows no name or no password is refused at once', async () => {
  const users = { users: USERS, iterations: 4096, secret: Buffer.alloc(32) };
  const authorizer = new UserAuthorizer(
    users,
    { passwordChecks: 1, passwordChecksWaiting: 1 },
    (n) => new Uint8Array(n),
  );
  for (const credentials of [
    { userName: undefined, password: undefined },
    { userName: 'text', password: undefined },
    { userName: undefined, password: Buffer.from('x') },
  ])
    assert.is(authorizer.authenticate({ peer, protocol: 'stomp', clientId: 'c', ...credentials }), 'notAuthorized');
});

test('a derivation that is refused is BrokerError busy', async () => {
  const derivation = new BoundedDerivation({ passwordChecks: 1, passwordChecksWaiting: 0 });
  const first = derivation.derive('sha256', 'x', Buffer.alloc(16), 4096);
  try {
    await derivation.derive('sha256', 'x', Buffer.alloc(16), 4096);
    assert.unreachable();
  } catch (error) {
    assert.ok(error instanceof BrokerError && error.code === 'busy');
  }
  await first;
});

test('a check that nobody waits for any more is not made: who is behind it does not wait for it', async () => {
  const derivation = new BoundedDerivation({ passwordChecks: 1, passwordChecksWaiting: 10_000 });
  const salt = Buffer.from('salt');
  const derive = (abandoned?: () => boolean): Promise<Uint8Array> =>
    derivation.derive('sha256', 'x', salt, 50_000, abandoned);
  const first = derive();
  let gone = false;
  const refused: unknown[] = [];
  for (let i = 0; i < 5000; i++) derive(() => gone).catch((error: unknown) => refused.push(error));
  const last = derive(() => false);
  gone = true;
  // All of them would take a minute and more.
  assert.equal(await last, await first);
  assert.is(refused.length, 5000);
  assert.ok(refused.every((error) => error instanceof BrokerError && error.code === 'busy'));
});

test.run();
