import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { describeConfig } from '../../../src/cli/check.ts';
import { loadConfig, resolveConfig } from '../../../src/config/load.ts';
import { VECTORS } from '../security/support/vectors.ts';
import { ConfigFile } from './support/config-file.ts';

/** Users in the configuration: what is taken, and that no secret is ever shown. */

const test = suite('config: security');
const configFile = new ConfigFile(test);

const [{ verifier }] = VECTORS;

test('there are no users unless somebody sets them', () => {
  assert.equal(resolveConfig().security, { users: [], scramIterations: 4096, saltSecret: '' });
});

test('users come from a file, from options, and as YAML from the environment and --set', () => {
  const users = [
    { name: 'alice', password: 'a: b # c' },
    { name: 'bob', password: verifier },
  ];
  const file = configFile.write(
    `security:\n  users:\n    - name: alice\n      password: "a: b # c"\n    - {name: bob, password: "${verifier}"}\n`,
  );
  const json = JSON.stringify(users);
  assert.equal(loadConfig(file).security.users, users);
  assert.equal(loadConfig({ env: { TRIMARAN_SECURITY_USERS: json } }).security.users, users);
  assert.equal(loadConfig({ set: [`security.users=${json}`] }).security.users, users);
  assert.equal(resolveConfig({ security: { users } }).security.users, users);
});

test('names are kept as they are compared (RFC 4013)', () => {
  const [user] = resolveConfig({ security: { users: [{ name: 'ju\u0308rgen\u00ad', password: 'x' }] } }).security.users;
  assert.is(user?.name, 'j\u00fcrgen');
});

test('what is wrong with a user is said where it stands, all of it at once, and no password is shown', () => {
  const lines = configFile.faultsIn(
    [
      'security:',
      '  users:',
      '    - name: a',
      '      pasword: hunter2',
      '    - {name: a, password: hunter2}',
      '    - {name: a, password: SCRAM-SHA-256$4096:hunter2}',
      '    - {name: b, password: 31415}',
      '    - {name: "", password: ""}',
      '    - {name: "c\\u0007", password: "hunter2\\u0007"}',
      '    - hunter2',
      '    - {name: [x], password: hunter2, admin: true}',
    ].join('\n'),
  );
  const wanted = [
    /^file:3:7: security\.users\[0\]\.password: found nothing, expected a password that is not empty, or SCRAM-SHA-256\$/,
    /^file:4:7: security\.users\[0\]\.pasword: found an unknown key; a user has name and password$/,
    /^file:6:14: security\.users\[2\]\.name: found the name of security\.users\[1\] again, expected each user once$/,
    /^file:6:27: security\.users\[2\]\.password: found a verifier that is not of the form SCRAM-SHA-256\$/,
    /^file:7:27: security\.users\[3\]\.password: found a number, expected a password/,
    /^file:8:14: security\.users\[4\]\.name: found an empty text, expected a name of 1 to 256 characters, without control/,
    /^file:8:28: security\.users\[4\]\.password: found an empty text, expected a password/,
    /^file:9:14: security\.users\[5\]\.name: found the text .*, expected a name of 1 to 256 characters, without control/,
    /^file:9:35: security\.users\[5\]\.password: found characters that passwords may not have/,
    /^file:10:7: security\.users\[6\]: found a text, expected a section with name and password$/,
    /^file:11:14: security\.users\[7\]\.name: found a list, expected a name/,
    /^file:11:38: security\.users\[7\]\.admin: found an unknown key/,
  ];
  assert.is(lines.length, wanted.length, lines.join('\n'));
  for (const [i, pattern] of wanted.entries()) assert.match(lines[i] ?? '', pattern, lines.join('\n'));
  assert.not.match(lines.join('\n'), /hunter2|31415/);
});

test('a text that is no list is refused, and not shown', () => {
  for (const text of ['hunter2', '[{name: hunter2', '{"name":"a","password":"hunter2"}', '3']) {
    const [line = ''] = configFile.faultsOf({ set: [`security.users=${text}`] });
    assert.match(line, /^--set: security\.users: found .+, expected a list of users, each with name and password/);
    assert.not.match(line, /hunter2/);
  }
});

test('scramIterations and saltSecret have their ranges', () => {
  for (const [assignment, wanted] of [
    ['security.scramIterations=4095', /expected a whole number from 4096 to 10000000 \(iterations\)$/],
    ['security.saltSecret=hunter2', /found a text, expected a text of 16 characters or more, or empty$/],
    ['backbone.nats.password=[1]', /^--set: backbone\.nats\.password: found a text, expected text$|^$/],
  ] as const)
    assert.match(configFile.faultsOf({ set: [assignment] })[0] ?? '', wanted);
});

test('check-config shows that secrets are set, and nothing of them', () => {
  const secrets = {
    TRIMARAN_SECURITY_USERS: '[{name: a, password: hunter2}]',
    TRIMARAN_SECURITY_SALT_SECRET: 'hunter2 hunter2 hunter2',
    TRIMARAN_BACKBONE_NATS_PASSWORD: 'hunter2',
    TRIMARAN_BACKBONE_NATS_TOKEN: 'hunter2',
  };
  const text = describeConfig({ env: secrets });
  for (const key of ['security.users', 'security.saltSecret', 'backbone.nats.password', 'backbone.nats.token'])
    assert.match(text, `${key} = ***`);
  assert.not.match(text, /hunter2/);
});

test.run();
