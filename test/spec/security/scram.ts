import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Conversation, Step } from '../../../src/ports/authentication.ts';
import { BoundedDerivation } from '../../../src/security/key-derivation.ts';
import { ScramMechanisms } from '../../../src/security/scram.ts';
import { type UserEntry, Users } from '../../../src/security/users.ts';
import { ScramClient, type ScramMethod } from '../../support/scram-client.ts';
import { VECTORS } from './support/vectors.ts';

const test = suite('security: SCRAM');

async function mechanisms(
  users: readonly UserEntry[],
  nonce = 'SERVER',
  secret = 'of this test',
): Promise<ScramMechanisms> {
  const known = new Users({ users, iterations: 4096, secret: Buffer.from(secret) });
  await known.start(new BoundedDerivation({ passwordChecks: 4, passwordChecksWaiting: 100 }));
  return new ScramMechanisms(known, () => nonce);
}

function begin(offered: ScramMechanisms, method: string): Conversation {
  const conversation = offered.begin(method);
  if (conversation === undefined) throw new Error(`${method} is not offered`);
  return conversation;
}

function challenge(step: Step): Buffer {
  if (step.kind !== 'challenge') throw new Error(`expected a challenge, got ${JSON.stringify(step)}`);
  return Buffer.from(step.data);
}

function refusal(step: Step): string {
  return step.kind === 'refused' ? `${step.code}: ${step.text}` : step.kind;
}

const WRONG = 'badCredentials: wrong user name or password';
const ALICE = { name: 'alice', password: 'wonder, land=' };

/** A whole exchange. */
async function logIn(offered: ScramMechanisms, client: ScramClient, change?: (text: string) => string): Promise<Step> {
  const conversation = begin(offered, client.method);
  return conversation.respond(client.final(challenge(await conversation.respond(client.first())), change));
}

for (const vector of VECTORS) {
  test(`${vector.method}: the whole exchange, byte for byte (RFC 7677, 3)`, async () => {
    const offered = await mechanisms([{ name: 'user', password: vector.verifier }], vector.serverNonce);
    assert.equal(offered.names, [vector.method], 'no other one is offered where no user has it');
    const conversation = begin(offered, vector.method);
    const first = challenge(await conversation.respond(Buffer.from(vector.clientFirst)));
    assert.is(first.toString(), vector.serverFirst);
    const last = await conversation.respond(Buffer.from(vector.clientFinal));
    if (last.kind !== 'proven') throw new Error(refusal(last));
    assert.is(last.principal.name, 'user');
    assert.is(Buffer.from(last.data).toString(), vector.serverFinal);
    assert.match(refusal(await conversation.respond(Buffer.from(vector.clientFinal))), /the exchange is over/);
  });
}

test('a password that is given as a text is good for both methods, and no other password is', async () => {
  const offered = await mechanisms([ALICE, { name: 'a=b,c', password: '\u2168' }]);
  assert.equal(offered.names, ['SCRAM-SHA-512', 'SCRAM-SHA-256']);
  for (const method of ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as ScramMethod[]) {
    const client = new ScramClient(method, ALICE.name, ALICE.password);
    const step = await logIn(offered, client);
    assert.is(step.kind === 'proven' ? step.principal.name : step.kind, 'alice');
    assert.ok(step.kind === 'proven' && client.verifies(step.data), 'the server proves itself, too');
    assert.is(refusal(await logIn(offered, new ScramClient(method, ALICE.name, 'Wonder, land='))), WRONG);
    // Names with comma and equals sign; a password in the form that SASLprep gives it.
    const other = await logIn(offered, new ScramClient(method, 'a=b,c', 'IX'));
    assert.is(other.kind === 'proven' ? other.principal.name : refusal(other), 'a=b,c');
  }
});

test('RFC 5802, 5.1: a name is found in whichever form it is written', async () => {
  const offered = await mechanisms([{ name: 'j\u00fcrgen', password: 'x' }]);
  const step = await logIn(offered, new ScramClient('SCRAM-SHA-256', 'ju\u0308rgen', 'x'));
  assert.is(step.kind === 'proven' ? step.principal.name : refusal(step), 'j\u00fcrgen');
});

test('a name that no user has gets a salt as any other, the same each time, and is refused as late', async () => {
  const strong = VECTORS[0].verifier.replace('4096', '20000');
  for (const users of [[ALICE], [{ name: 'u', password: strong }]]) {
    const offered = await mechanisms(users);
    const ask = async (from: ScramMechanisms, name: string): Promise<string> =>
      challenge(
        await begin(from, 'SCRAM-SHA-256').respond(new ScramClient('SCRAM-SHA-256', name, '', { nonce: 'N' }).first()),
      ).toString();
    const shown = await ask(offered, 'nobody');
    const known = await ask(offered, users[0]?.name ?? '');
    assert.is(shown.length, known.length);
    assert.is(/i=\d+/.exec(shown)?.[0], /i=\d+/.exec(known)?.[0], 'as many iterations as users have');
    assert.is(await ask(offered, 'nobody'), shown);
    assert.is(await ask(await mechanisms(users), 'nobody'), shown, 'with the same secret');
    assert.is.not(await ask(await mechanisms(users, 'SERVER', 'another'), 'nobody'), shown);
    assert.is.not(await ask(offered, 'nobody2'), shown);
    assert.is(refusal(await logIn(offered, new ScramClient('SCRAM-SHA-256', 'nobody', 'x'))), WRONG);
  }
});

test('a user with a verifier for one method is as unknown by the other', async () => {
  const [sha256, sha512] = VECTORS;
  const offered = await mechanisms([
    { name: 'a', password: sha256.verifier },
    { name: 'b', password: sha512.verifier },
  ]);
  assert.is((await logIn(offered, new ScramClient('SCRAM-SHA-512', 'b', 'pencil'))).kind, 'proven');
  assert.is(refusal(await logIn(offered, new ScramClient('SCRAM-SHA-512', 'a', 'pencil'))), WRONG);
});

test('methods that are not offered', async () => {
  const offered = await mechanisms([ALICE]);
  for (const name of ['SCRAM-SHA-1', 'SCRAM-SHA-256-PLUS', 'scram-sha-256', 'PLAIN', '', '__proto__'])
    assert.is(offered.begin(name), undefined, name);
});

test('RFC 4422, 5: who begins with nothing is asked to begin, once', async () => {
  const conversation = begin(await mechanisms([ALICE]), 'SCRAM-SHA-256');
  assert.is(challenge(await conversation.respond(undefined)).length, 0);
  const client = new ScramClient('SCRAM-SHA-256', ALICE.name, ALICE.password);
  const step = await conversation.respond(client.final(challenge(await conversation.respond(client.first()))));
  assert.is(step.kind, 'proven');
  const other = begin(await mechanisms([ALICE]), 'SCRAM-SHA-256');
  await other.respond(undefined);
  assert.match(refusal(await other.respond(undefined)), /is not a client-first-message/);
});

test('RFC 5802, 7: what is no client-first-message, or asks for what is not offered, is refused in words', async () => {
  const offered = await mechanisms([ALICE]);
  const form = /^notAuthorized: SCRAM-SHA-256: the data is not a client-first-message \(RFC 5802, 7\)$/;
  const table: [string | Buffer, RegExp][] = [
    ['p=tls-unique,,n=alice,r=N', /channel binding is not offered/],
    ['n,a=bob,n=alice,r=N', /no user may act for another one/],
    ['n,,m=x,n=alice,r=N', /a mandatory extension of SCRAM is not known/],
    ['n,,n=,r=N', /the user name is not encoded/],
    ['n,,n=a=2cb,r=N', /the user name is not encoded/],
    ['n,,n=a=b,r=N', /the user name is not encoded/],
    ['n,,n=a\0,r=N', /the user name is not encoded/],
    ['n,,n=alice,r=', form],
    ['n,,n=alice,r=a b', form],
    ['n,,n=alice,r=\u00fc', form],
    ['n,,r=N,n=alice', form],
    ['n,,n=alice', form],
    ['n,n=alice,r=N', form],
    ['x,,n=alice,r=N', form],
    ['n', form],
    ['n,,n=alice,r=N,x', form],
    ['n,,n=alice,r=N,x=', form],
    [Buffer.from([0xff, 0xfe]), /the data is not UTF-8/],
  ];
  for (const [text, wanted] of table)
    assert.match(refusal(await begin(offered, 'SCRAM-SHA-256').respond(Buffer.from(text))), wanted, String(text));
  for (const text of ['y,,n=alice,r=N', 'n,a=alice,n=alice,r=N', 'n,,n=alice,r=N,x=y,z=='])
    challenge(await begin(offered, 'SCRAM-SHA-256').respond(Buffer.from(text)));
});

test('RFC 5802, 7: what is no client-final-message is refused, and so is a good proof of something else', async () => {
  const offered = await mechanisms([ALICE]);
  const refusedFinal = async (change: (text: string) => string): Promise<string> =>
    refusal(await logIn(offered, new ScramClient('SCRAM-SHA-256', ALICE.name, ALICE.password), change));
  assert.match(await refusedFinal((text) => text.replace('biws', 'eSws')), /c= does not repeat/);
  assert.match(await refusedFinal((text) => text.replace('biws', 'biw')), /not a client-final-message/);
  assert.match(await refusedFinal((text) => `${text}x`), /r= is not the nonce of the server/);
  assert.match(await refusedFinal((text) => text.replace(/,r=.*/, '')), /not a client-final-message/);
  assert.match(await refusedFinal((text) => `${text},`), /not a client-final-message/);
  assert.is(await refusedFinal((text) => `${text},x=an extension that nobody knows`), 'proven');
  const cut = async (change: (text: string) => string): Promise<string> => {
    const conversation = begin(offered, 'SCRAM-SHA-256');
    const client = new ScramClient('SCRAM-SHA-256', ALICE.name, ALICE.password);
    const final = client.final(challenge(await conversation.respond(client.first()))).toString();
    return refusal(await conversation.respond(Buffer.from(change(final))));
  };
  assert.match(await cut((text) => text.replace(/,p=.*/, '')), /not a client-final-message/);
  assert.match(await cut((text) => text.replace(/p=.*/, 'p=')), /not a client-final-message/);
  assert.match(await cut((text) => text.replace(/p=.*/, 'p=AAAA')), /p= has not the length of the hash/);
  assert.match(await cut((text) => `${text.slice(0, -1)}`), /not a client-final-message/);
  assert.is(await cut((text) => text.replace(/p=.*/, `p=${Buffer.alloc(32).toString('base64')}`)), WRONG);
  assert.match(await cut(() => ''), /not a client-final-message/);
});

test.run();
