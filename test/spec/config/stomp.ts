import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { describeConfig } from '../../../src/cli/check.ts';
import { loadConfig, resolveConfig } from '../../../src/config/load.ts';
import { VECTORS } from '../security/support/vectors.ts';
import { ConfigFile } from './support/config-file.ts';

/** The section `stomp`: a default user that can log in, and whose password is not shown. */

const test = suite('config: stomp');
const configFile = new ConfigFile(test);

const USERS = 'security:\n  users:\n    - {name: guest, password: hunter2}\n';

test('there is none unless somebody sets it', () => {
  assert.equal(resolveConfig().stomp, {
    implicitConnect: false,
    heldReceiptMilliseconds: 1500,
    defaultUser: { name: '', password: '' },
  });
});

test('from a file and from the environment', () => {
  const stomp = {
    implicitConnect: true,
    heldReceiptMilliseconds: 1500,
    defaultUser: { name: 'guest', password: 'hunter2' },
  };
  const yaml = 'stomp:\n  implicitConnect: true\n  defaultUser: {name: guest, password: hunter2}\n';
  assert.equal(loadConfig(configFile.write(USERS + yaml)).stomp, stomp);
  const env = {
    TRIMARAN_STOMP_IMPLICIT_CONNECT: 'true',
    TRIMARAN_STOMP_DEFAULT_USER_NAME: 'guest',
    TRIMARAN_STOMP_DEFAULT_USER_PASSWORD: 'hunter2',
  };
  assert.equal(loadConfig({ env }).stomp, stomp, 'an embedding program has users of its own');
});

test('one that could never log in is a fault, and its password is not shown', () => {
  const rows: readonly (readonly [yaml: string, fault: RegExp])[] = [
    ['{name: guest}', /stomp\.defaultUser\.password: found nothing, expected the password of "guest"$/],
    ['{password: hunter3}', /stomp\.defaultUser\.name: found nothing, expected the name that the password belongs to$/],
    [
      '{name: nobody, password: x}',
      /defaultUser\.name: found the text "nobody", expected the name of one of security\.users$/,
    ],
    [
      `{name: guest, password: "${VECTORS[0].verifier}"}`,
      /defaultUser\.password: found a text, expected the password itself, not a verifier/,
    ],
  ];
  for (const [yaml, fault] of rows) {
    const lines = configFile.faultsIn(`${USERS}stomp:\n  defaultUser: ${yaml}\n`);
    assert.is(lines.length, 1, lines.join('\n'));
    assert.match(lines[0] ?? '', fault);
    assert.not.match(lines.join(), /hunter|SCRAM/);
  }
});

test('check-config does not show the password', () => {
  const file = configFile.write(`${USERS}stomp:\n  defaultUser: {name: guest, password: hunter2}\n`);
  const text = describeConfig(file);
  assert.match(text, 'stomp.defaultUser.name = "guest"');
  assert.match(text, /stomp\.defaultUser\.password = \*\*\*/);
  assert.not.match(text, 'hunter2');
});

test.run();
