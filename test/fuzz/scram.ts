import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Step } from '../../src/ports/authentication.ts';
import { BoundedDerivation } from '../../src/security/key-derivation.ts';
import { ScramMechanisms } from '../../src/security/scram.ts';
import { Users } from '../../src/security/users.ts';
import { parseVerifier } from '../../src/security/verifier.ts';
import { ScramClient } from '../support/scram-client.ts';

/** Garbage in SCRAM is refused in words; it neither throws nor lets anyone in. */

const test = suite('fuzz/scram');
const users = new Users({
  users: [{ name: 'alice', password: 'of alice' }],
  iterations: 4096,
  secret: Buffer.from('of this test'),
});
let mechanisms: ScramMechanisms;

test.before(async () => {
  await users.start(new BoundedDerivation({ passwordChecks: 4, passwordChecksWaiting: 9 }));
  mechanisms = new ScramMechanisms(users, () => 'SERVER');
});

/** What becomes of these, one after the other. */
async function talk(messages: readonly Uint8Array[]): Promise<string[]> {
  const conversation = mechanisms.begin('SCRAM-SHA-256');
  if (conversation === undefined) throw new Error('the method is not offered');
  const seen: string[] = [];
  for (const each of messages) {
    const step: Step = await conversation.respond(each);
    seen.push(step.kind);
    if (step.kind === 'refused') assert.ok(step.text.length > 10);
  }
  return seen;
}

const garbage = fc.oneof(
  fc.uint8Array({ maxLength: 100 }),
  fc
    .array(
      fc.constantFrom(
        'n',
        'y',
        'p',
        'a',
        'r',
        'c',
        'm',
        's',
        'i',
        'e',
        'v',
        '=',
        ',',
        '=2C',
        'biws',
        'SERVER',
        '\0',
        'é',
      ),
    )
    .map((parts) => Buffer.from(parts.join(''))),
  fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
);

test('arbitrary messages', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(garbage, { maxLength: 4 }), async (messages) => {
      assert.not((await talk(messages)).includes('proven'));
    }),
    { numRuns: 5000 },
  );
});

test('a first message with any byte changed', async () => {
  const whole = new ScramClient('SCRAM-SHA-256', 'alice', 'of alice', { nonce: 'N' }).first();
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), garbage, async (at, byte, last) => {
      const changed = Buffer.from(whole);
      changed[at] = byte;
      assert.not((await talk([changed, last])).includes('proven'));
    }),
    { numRuns: 3000 },
  );
});

test('a last message with any byte changed, cut or added to proves nothing', async () => {
  const client = new ScramClient('SCRAM-SHA-256', 'alice', 'of alice', { nonce: 'N' });
  const conversation = mechanisms.begin('SCRAM-SHA-256');
  const challenge = await conversation?.respond(client.first());
  const whole = client.final(challenge?.kind === 'challenge' ? challenge.data : undefined);
  assert.equal(await talk([client.first(), whole]), ['challenge', 'proven']);
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), async (at, byte) => {
      const changed = Buffer.from(whole);
      changed[at] = byte;
      const expected = changed.equals(whole) ? 'proven' : 'refused';
      assert.equal(await talk([client.first(), changed]), ['challenge', expected], `${changed}`);
      assert.equal(await talk([client.first(), whole.subarray(0, at)]), ['challenge', 'refused']);
      assert.equal(await talk([client.first(), Buffer.concat([whole, Buffer.of(byte)])]), ['challenge', 'refused']);
    }),
    { numRuns: 1000 },
  );
});

test('arbitrary texts are verifiers or not', () => {
  const part = fc.oneof(fc.string(), fc.base64String(), fc.constantFrom('SCRAM-SHA-256', '$', ':', '4096'));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 9 }), (parts) => {
      assert.type(parseVerifier(parts.join('')), 'string');
    }),
    { numRuns: 5000 },
  );
});

test.run();
