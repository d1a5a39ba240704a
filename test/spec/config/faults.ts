import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hidePassword } from '../../../src/config/faults.ts';
import { ConfigError, loadConfig } from '../../../src/config/load.ts';
import { validate } from '../../../src/config/validate.ts';
import { parseYaml, tooDeep } from '../../../src/config/yaml-file.ts';
import { ConfigFile } from './support/config-file.ts';

/** What is refused, with where it stands and in which words. */

const test = suite('config: faults');
const configFile = new ConfigFile(test);

function check(what: string, found: readonly string[], wanted: readonly (string | RegExp)[]): void {
  assert.is(found.length, wanted.length, `${what}\n${found.join('\n')}`);
  for (const [i, line] of wanted.entries()) {
    if (typeof line === 'string') assert.is(found[i], line, what);
    else assert.match(found[i] ?? '', line, what);
  }
}

const SECTIONS = 'listeners, backbone, security, queues, mqtt, stomp, limits, sys, log, shutdown';

test('in the file: each with line and column, what was found and what was expected', () => {
  const table: [string, (string | RegExp)[]][] = [
    [
      'listeners:\n  mqtt:\n    port: 70000\n',
      ['file:3:11: listeners.mqtt.port: found 70000, expected a whole number from 0 to 65535'],
    ],
    [
      'listeners: {mqtt: {port: "1883"}}',
      [/^file:1:26: listeners\.mqtt\.port: found the text "1883", expected a whole/],
    ],
    ['listeners: {mqtt: {port: 1.5}}', [/port: found 1\.5, expected a whole number/]],
    ['limits: {queues: .nan}', [/found NaN, expected a whole number/]],
    ['limits: {queues: -1}', [/found -1, expected a whole number from 0 to \d+ \(queues\)$/]],
    [
      'listeners:\n  mqtt:\n    port:\n',
      ['file:3:5: listeners.mqtt.port: found nothing, expected a whole number from 0 to 65535'],
    ],
    ['listeners: {mqtt: {enabled: yes}}', [/found the text "yes", expected one of true, false$/]],
    ['log: {level: loud}', [/found the text "loud", expected one of fatal, error, warn, info, debug, trace, silent$/]],
    ['log: {level: [info]}', [/^file:1:14: log\.level: found a list, expected one of/]],
    ['listeners: {stomp: 5}', ['file:1:20: listeners.stomp: found 5, expected a section with enabled, host, port']],
    ['listeners: []', ['file:1:12: listeners: found a list, expected a section with mqtt, stomp, http']],
    ['- 1', [`file:1:1: found a list, expected a section with ${SECTIONS}`]],
    ['broker', [`file:1:1: found the text "broker", expected a section with ${SECTIONS}`]],
    [
      'listeners:\n  mqtt: {host: 127.0.0.300}',
      [/^file:2:16: listeners\.mqtt\.host: found the text "127\.0\.0\.300", expected a host/],
    ],
    ['listeners: {mqtt: {host: "127.0.0.1:1883"}}', [/expected a host name or an IP address, without a port$/]],
    ['listeners: {mqtt: {host: ""}}', [/found an empty text, expected a host name/]],
    [
      'listeners:\n  http:\n    allowedOrigins: [ "https://a.example", "https://b.example/" ]',
      [
        /^file:3:44: listeners\.http\.allowedOrigins\[1\]: found the text "https:\/\/b\.example\/", expected a list of origins/,
      ],
    ],
    ['listeners: {http: {allowedOrigins: ["null"]}}', [/allowedOrigins\[0\]: found the text "null"/]],
    ['listeners: {http: {allowedOrigins: [5]}}', [/allowedOrigins\[0\]: found 5, expected a list of origins/]],
    ['listeners: {http: {allowedOrigins: 5}}', [/allowedOrigins: found 5, expected a list of origins/]],
    ['backbone: {nats: {servers: []}}', [/servers: found a list, expected a list of servers such as nats:/]],
    ['backbone: {nats: {servers: "a,,b"}}', [/^file:1:28: backbone\.nats\.servers\[1\]: found the text "a,,b"/]],
    ['backbone: {nats: {servers: ["http://a"]}}', [/servers\[0\]: found the text "http:\/\/a"/]],
    ['backbone: {nats: {prefix: a.b}}', [/found the text "a\.b", expected 1 to 64 letters/]],
    ['backbone: {embedded: {directory: ""}}', [/found an empty text, expected a path/]],
    ['backbone: {type: mongo}', [/found the text "mongo", expected one of memory, embedded, nats$/]],
  ];
  for (const [yaml, wanted] of table) check(yaml, configFile.faultsIn(yaml), wanted);
});

test('unknown keys, with the place of the key and the nearest name', () => {
  const table: [string, (string | RegExp)[]][] = [
    ['listener: {}', ['file:1:1: listener: found an unknown key; did you mean listeners?']],
    [
      'listeners:\n  mqtt:\n    prot: 1',
      ['file:3:5: listeners.mqtt.prot: found an unknown key; did you mean listeners.mqtt.port?'],
    ],
    ['limits: {packetbytes: 1024}', [/did you mean limits\.packetBytes\?$/]],
    ['stomp: {port: 1}', ['file:1:9: stomp.port: found an unknown key; did you mean listeners.stomp.port?']],
    ['nats: {port: 1}', [/^file:1:1: nats: found an unknown key; the sections are /]],
    ['log: {colour: true}', ['file:1:7: log.colour: found an unknown key; log has level, format']],
    ['1: 2', [`file:1:1: 1: found an unknown key; the sections are ${SECTIONS}`]],
    ['__proto__: {a: 1}', [/^file:1:1: __proto__: found an unknown key/]],
    ['log: {constructor: 1, toString: 2}', [/^file:1:7: log\.constructor/, /^file:1:23: log\.toString/]],
    ['"a\\e[31m\\nb": 1', [/^file:1:1: "a\\u001b\[31m\\nb": found/]],
    ['<<: {log: {level: info}}', [/^file:1:1: "<<": found an unknown key/]],
  ];
  for (const [yaml, wanted] of table) check(yaml, configFile.faultsIn(yaml), wanted);
});

test('what is not a YAML file of settings', () => {
  const bomb = 'bcdefghi'
    .split('')
    .map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`)
    .join('\n');
  const table: [string | Uint8Array, (string | RegExp)[]][] = [
    ['log: {level: info\n', [/^file:\d+:\d+: found invalid YAML: /]],
    ['\tlog: 1', [/^file:1:1: found invalid YAML: Tabs are not allowed/]],
    ['log: {}\nlog: {}\n', ['file:2:1: found a key for the second time in its section']],
    ['log: {}\nlog: {lvel: 1}', [/second time/, /^file:\d:7: log\.lvel: .*log\.level/]],
    ['log: !secret x', [/^file:1:6: found invalid YAML: Unresolved tag: !secret/]],
    ['log: {}\n---\nlog: {}', [/multiple documents/]],
    ['log: *missing', [/found invalid YAML: Unresolved alias/]],
    [`a: &a [x,x,x,x,x,x,x,x,x]\n${bomb}`, [/found invalid YAML: Excessive alias count/]],
    ['log: &a [*a]', [/^file:1:9: log: found a list/]],
    ['['.repeat(500_000), ['file: is nested more than 32 levels deep, expected a YAML file of settings']],
    ['- '.repeat(500_000), [/nested more than 32 levels/]],
    [`#${'x'.repeat(1024 * 1024)}`, ['file: is larger than 1048576 bytes, expected a YAML file of settings']],
    [Uint8Array.of(0x61, 0xff, 0x62), ['file: is not UTF-8 text, expected a YAML file']],
  ];
  for (const [yaml, wanted] of table) check(yaml.slice(0, 60).toString(), configFile.faultsIn(yaml), wanted);
});

test('a position is found through an alias', () => {
  check('alias', configFile.faultsIn('log: &x {level: loud}\nlimits: *x\n'), [
    /^file:1:10: limits\.level/,
    /^file:1:17: log\.level/,
  ]);
});

test('a file that cannot be read', () => {
  const missing = join(configFile.folder, 'missing.yaml');
  check('missing', configFile.faultsOf({ file: missing }), [`${missing}: does not exist`]);
  const directory = join(configFile.folder, 'directory');
  mkdirSync(directory);
  check('directory', configFile.faultsOf({ file: directory }), [`${directory}: is a directory, expected a YAML file`]);
  configFile.write('');
  check('below a file', configFile.faultsOf({ file: join(configFile.path, 'x') }), [
    /does not exist; a part of the path is a file$/,
  ]);
  check('endless', configFile.faultsOf({ file: '/dev/zero' }), [
    '/dev/zero: is larger than 1048576 bytes, expected a YAML file of settings',
  ]);
  check('null byte', configFile.faultsOf({ file: 'a\0b' }), [/cannot be read/]);
});

test('--set', () => {
  const table: [string, (string | RegExp)[]][] = [
    ['limits.queues', ['--set: found the text "limits.queues", expected key=value']],
    ['=5', ['--set: found the text "=5", expected key=value']],
    ['limits.queue=5', ['--set: limits.queue: found an unknown key; did you mean limits.queues?']],
    ['mqtt.port=5', ['--set: mqtt.port: found an unknown key; did you mean listeners.mqtt.port?']],
    [
      'listeners.mqtt.port.x=5',
      [/^--set: listeners\.mqtt\.port\.x: found an unknown key; did you mean listeners\.mqtt\.port\?$/],
    ],
    ['listeners.mqtt.port.number=5', [/unknown key; listeners\.mqtt\.port is a whole number from 0 to 65535$/]],
    [
      'listeners.mqtt.port=x',
      ['--set: listeners.mqtt.port: found the text "x", expected a whole number from 0 to 65535'],
    ],
    ['listeners.mqtt.port=', ['--set: listeners.mqtt.port: found nothing, expected a whole number from 0 to 65535']],
    ['listeners.mqtt.port=*a', [/found the text "\*a", expected a whole number/]],
    [
      'listeners.mqtt={prot: 5}',
      ['--set: listeners.mqtt.prot: found an unknown key; did you mean listeners.mqtt.port?'],
    ],
    ['listeners.mqtt=5', ['--set: listeners.mqtt: found 5, expected a section with enabled, host, port']],
    [`limits.queues=${'['.repeat(100_000)}`, [/^--set: limits\.queues: found the text "\[\[\[.*…"/]],
    ['__proto__.x=1', [/^--set: __proto__\.x: found an unknown key/]],
  ];
  for (const [text, wanted] of table) check(text.slice(0, 60), configFile.faultsOf({ set: [text] }), wanted);
});

test('the environment', () => {
  const table: [string, string, (string | RegExp)[]][] = [
    [
      'TRIMARAN_LISTENERS_MQTT_PROT',
      '1',
      [
        'TRIMARAN_LISTENERS_MQTT_PROT: found a variable that stands for no key; did you mean TRIMARAN_LISTENERS_MQTT_PORT?',
      ],
    ],
    ['TRIMARAN_SOMETHING_ELSE', '1', [/^TRIMARAN_SOMETHING_ELSE: .*trimaran keys lists them all$/]],
    ['TRIMARAN_LOG', 'info', [/stands for no key/]],
    ['TRIMARAN_LIMITS_QUEUES', '', [/^TRIMARAN_LIMITS_QUEUES: limits\.queues: found nothing, expected a whole number/]],
    ['TRIMARAN_LOG_LEVEL', '', [/^TRIMARAN_LOG_LEVEL: log\.level: found an empty text, expected one of/]],
    ['TRIMARAN_LISTENERS_MQTT_PORT', 'http://x', [/found the text "http:\/\/x"/]],
  ];
  for (const [name, value, wanted] of table) check(name, configFile.faultsOf({ env: { [name]: value } }), wanted);
});

test('all faults of all sources are reported together, also of values that a later source replaces', () => {
  configFile.write('log: {level: loud}\nlimits: {queues: x}\nshutdown:\n  drain: 1\n');
  const env = { TRIMARAN_LOG_FORMAT: 'xml', TRIMARAN_OTHER: '1' };
  const found = configFile.faultsOf({
    file: configFile.path,
    env,
    set: ['limits.queues=5', 'nothing', 'log.level=quiet'],
  });
  const places = found.map((line) => line.split(': ').slice(0, 2).join(' '));
  assert.equal(places.toSorted(), [
    '--set found the text "nothing", expected key=value',
    '--set log.level',
    'TRIMARAN_LOG_FORMAT log.format',
    'TRIMARAN_OTHER found a variable that stands for no key; trimaran keys lists them all',
    'file:1:14 log.level',
    'file:2:18 limits.queues',
    'file:4:3 shutdown.drain',
  ]);
});

test('two listeners cannot have one port', () => {
  check('file', configFile.faultsIn('listeners: {mqtt: {port: 61613}}'), [
    'file:1:26: listeners.mqtt.port: found 61613, which listeners.stomp.port has too; expected another port, or 0 for a free one',
  ]);
  const set = ['listeners.http.host=0.0.0.0', 'listeners.http.port=1883'];
  check('wildcard', configFile.faultsOf({ set }), [
    /^--set: listeners\.http\.port: found 1883, which listeners\.mqtt\.port has too/,
  ]);
  assert.equal(configFile.faultsOf({ set: [...set, 'listeners.mqtt.enabled=false'] }), []);
  assert.equal(configFile.faultsOf({ set: ['listeners.http.host=127.0.0.2', 'listeners.http.port=1883'] }), []);
  assert.equal(configFile.faultsOf({ set: ['listeners.http.port=0', 'listeners.mqtt.port=0'] }), []);
});

test('a password in an address is not repeated', () => {
  const found = configFile
    .faultsOf({ set: ['backbone.nats.servers=nats://me:secret@host/x,nats://you:hidden@host'] })
    .join();
  assert.match(found, '***@host');
  assert.not.match(found, /secret|hidden/);
  assert.is(hidePassword('tls://a:b@c:d@h, u@x'), 'tls://***@h, ***@x');
  const long = 'x'.repeat(1_000_000);
  assert.is(hidePassword(long), long);
});

test('thousands of faults are counted, not printed', () => {
  const yaml = Array.from({ length: 3000 }, (_, i) => `key${i}: 1`).join('\n');
  configFile.write(yaml);
  try {
    loadConfig({ file: configFile.path });
    assert.unreachable();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    assert.is(error.faults.length, 3000);
    assert.match(error.message, /^the configuration has 3000 faults:\n/);
    assert.match(error.message, /and 2950 more$/);
    assert.is(error.message.split('\n').length, 52);
  }
});

test('property: arbitrary values are refused or taken, never thrown at', () => {
  fc.assert(
    fc.property(fc.anything({ withDate: true, withMap: true, withBigInt: true, withNullPrototype: true }), (value) => {
      const result = validate(value);
      assert.ok('config' in result || result.findings.length > 0);
    }),
  );
});

test('property: arbitrary values in place of any section or key', () => {
  const word = fc.constantFrom(
    'listeners',
    'mqtt',
    'http',
    'port',
    'host',
    'allowedOrigins',
    'log',
    'level',
    'limits',
    '__proto__',
  );
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.anything({ maxDepth: 1 }),
      fc.array(fc.tuple(word, tie('tree')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => {
      const result = validate(value);
      if ('findings' in result) for (const { message } of result.findings) assert.match(message, /^found /);
    }),
  );
});

test('property: arbitrary text as a file ends in a configuration or in faults', () => {
  const piece = fc.constantFrom(
    'listeners',
    ': ',
    '\n',
    '  ',
    '- ',
    '[',
    ']',
    '{',
    '}',
    '&a ',
    '*a',
    '!t ',
    '"',
    "'",
    '|',
    '#',
    '? ',
    ',',
    '\t',
    '\0',
    '%',
    '---\n',
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
  );
  fc.assert(
    fc.property(text, (source) => {
      const { content, faults, locate } = parseYaml(source, 'file');
      if (faults.length === 0) {
        const result = validate(content);
        if ('findings' in result)
          for (const { path, at } of result.findings) assert.match(locate(path, at), /^file:\d+:\d+$/);
      }
      tooDeep(source);
    }),
    { numRuns: 500 },
  );
});

test.run();
