import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadConfig, resolveConfig } from '../../../src/config/load.ts';
import { queuesOf } from '../../../src/config/queues.ts';
import { DEFAULT_SETTINGS, QUEUE_SETTINGS } from '../../../src/core/queue-settings.ts';
import { ConfigFile } from './support/config-file.ts';

/** Settings of queues in the configuration. */

const test = suite('config: queues');
const configFile = new ConfigFile(test);

test('the defaults are those of the settings, each with the range that clients have', () => {
  assert.equal(queuesOf(resolveConfig()), { defaults: DEFAULT_SETTINGS, declared: [] });
  for (const [name, setting] of Object.entries(QUEUE_SETTINGS)) {
    if (setting.kind !== 'integer') continue;
    // It may not be more than the other one.
    const other = name === 'retryMilliseconds' ? [`queues.defaults.retryMaxMilliseconds=${setting.max}`] : [];
    assert.is(configFile.faultsOf({ set: [`queues.defaults.${name}=${setting.max}`, ...other] }).length, 0, name);
    assert.is(configFile.faultsOf({ set: [`queues.defaults.${name}=${setting.max + 1}`] }).length, 1, name);
  }
});

test('a default is set as any key is, and bindings have none', () => {
  const env = { TRIMARAN_QUEUES_DEFAULTS_MAX_DELIVERIES: '7', TRIMARAN_QUEUES_DEFAULTS_OVERFLOW: 'dropOldest' };
  const { defaults } = queuesOf(loadConfig({ env, set: ['queues.defaults.deadLetterQueue=dead'] }));
  assert.equal(defaults, {
    ...DEFAULT_SETTINGS,
    maxDeliveries: 7,
    overflow: 'dropOldest',
    deadLetterQueue: 'dead',
  });
  assert.match(
    configFile.faultsOf({ set: ['queues.defaults.bindings=a/#'] })[0] ?? '',
    /--set: queues\.defaults\.bindings: found an unknown key/,
  );
  assert.match(
    configFile.faultsOf({ set: ['queues.defaults.deadLetterQueue=a#'] })[0] ?? '',
    /expected the name of a queue/,
  );
});

test('declared queues come from a file, from options, and as JSON from the environment and --set', () => {
  const wanted = [
    { name: 'orders', settings: { maxMessages: 5, bindings: ['shop/+/order'] } },
    { name: 'mail/out', settings: {} },
  ];
  const input = wanted.map(({ name, settings }) => ({ name, ...settings }));
  const file = configFile.write(
    'queues:\n  declared:\n    - name: orders\n      maxMessages: 5\n      bindings: [shop/+/order, shop/+/order]\n    - {name: mail/out}\n',
  );
  const json = JSON.stringify(input);
  assert.equal(queuesOf(loadConfig(file)).declared, wanted);
  assert.equal(queuesOf(loadConfig({ env: { TRIMARAN_QUEUES_DECLARED: json } })).declared, wanted);
  assert.equal(queuesOf(loadConfig({ set: [`queues.declared=${json}`] })).declared, wanted);
  assert.equal(queuesOf(resolveConfig({ queues: { declared: input } })).declared, wanted);
});

test('what is wrong with a declared queue is said where it stands, all of it at once', () => {
  const lines = configFile.faultsIn(
    [
      'queues:',
      '  declared:',
      '    - name: a',
      '      maxMesages: 5',
      '      maxBytes: -1',
      '    - name: a',
      '    - overflow: drop',
      '      name: a/#',
      '    - {}',
      '    - orders',
      '    - {name: ""}',
    ].join('\n'),
  );
  const wanted = [
    /^file:4:7: queues\.declared\[0\]\.maxMesages: there is no queue setting "maxMesages"; known are maxMessages, /,
    /^file:5:17: queues\.declared\[0\]\.maxBytes: maxBytes is -1; a whole number from 0 to \d+ \(bytes\) is expected$/,
    /^file:6:13: queues\.declared\[1\]\.name: found the name of queues\.declared\[0\] again, expected each queue once$/,
    /^file:7:17: queues\.declared\[2\]\.overflow: overflow is "drop"; one of refuse, dropOldest, deadLetterOldest is /,
    /^file:8:13: queues\.declared\[2\]\.name: found the text "a\/#", which contains a wildcard .+; expected the name of a q/,
    /^file:9:7: queues\.declared\[3\]\.name: found nothing, expected the name of a queue$/,
    /^file:10:7: queues\.declared\[4\]: found the text "orders", expected a section with name, and settings$/,
    /^file:11:14: queues\.declared\[5\]\.name: found an empty text; expected the name of a queue$/,
  ];
  assert.is(lines.length, wanted.length, lines.join('\n'));
  for (const [i, pattern] of wanted.entries()) assert.match(lines[i] ?? '', pattern);
});

test('settings that do not go together are found before anything is started', () => {
  const declared = (settings: string): string[] =>
    configFile.faultsIn(`queues:\n  declared:\n    - name: a\n      ${settings}\n`);
  const cases: [found: string[], wanted: RegExp][] = [
    [
      declared('bindings: [x/#/y]'),
      /^file:3:7: queues\.declared\[0\]: bindings: "x\/#\/y" has # before its last level/,
    ],
    [declared('bindings: [$queue/b]'), /^file:3:7: queues\.declared\[0\]: bindings: "\$queue\/b" begins with \$/],
    [declared('deadLetterQueue: a'), /^file:3:7: queues\.declared\[0\]: deadLetterQueue is the queue itself/],
    [declared('overflow: deadLetterOldest'), /overflow is deadLetterOldest, but deadLetterQueue is empty/],
    [
      declared('retryMilliseconds: 70000'),
      /retryMilliseconds is 70000, which is more than retryMaxMilliseconds, 60000$/,
    ],
    [
      configFile.faultsIn('queues:\n  defaults:\n    retryMilliseconds: 70000\n  declared: [{name: a}]\n'),
      /^file:3:5: queues\.defaults: retryMilliseconds is 70000, which is more than retryMaxMilliseconds, 60000$/,
    ],
  ];
  for (const [found, wanted] of cases) {
    assert.is(found.length, 1, found.join('\n'));
    assert.match(found[0] ?? '', wanted);
  }
  const both = 'queues:\n  defaults: {deadLetterQueue: dead, overflow: deadLetterOldest}\n  declared: [{name: dead}]\n';
  assert.equal(configFile.faultsIn(both), [], 'the dead-letter queue of all queues has none itself');
});

test('a text that is no list is refused', () => {
  for (const text of ['orders', '{"name":"orders"}', '[{"name":', '3']) {
    assert.match(
      configFile.faultsOf({ set: [`queues.declared=${text}`] })[0] ?? '',
      /queues\.declared: found .+ list of queues: name/,
    );
  }
});

test.run();
