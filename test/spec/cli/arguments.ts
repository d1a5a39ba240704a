import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Invocation, parseArguments, UsageError } from '../../../src/cli/arguments.ts';

const test = suite('cli: arguments');

const RUN = { action: 'run', config: undefined, set: [], method: undefined, iterations: undefined } as const;

test('what is taken', () => {
  const table: [string, Invocation][] = [
    ['', { ...RUN, command: undefined, action: 'help' }],
    ['start', { ...RUN, command: 'start' }],
    ['start --config a.yaml', { ...RUN, command: 'start', config: 'a.yaml' }],
    ['--config=a.yaml start', { ...RUN, command: 'start', config: 'a.yaml' }],
    [
      'start -c a.yaml -s a=b --set c=d=e --set=f=',
      { ...RUN, command: 'start', config: 'a.yaml', set: ['a=b', 'c=d=e', 'f='] },
    ],
    ['check-config --set limits.queues=-1', { ...RUN, command: 'check-config', set: ['limits.queues=-1'] }],
    ['keys', { ...RUN, command: 'keys' }],
    ['verifier', { ...RUN, command: 'verifier' }],
    [
      'verifier --method SCRAM-SHA-512 --iterations=5000',
      { ...RUN, command: 'verifier', method: 'SCRAM-SHA-512', iterations: '5000' },
    ],
    ['-h', { ...RUN, command: undefined, action: 'help' }],
    ['start --help', { ...RUN, command: 'start', action: 'help' }],
    ['--help keys', { ...RUN, command: 'keys', action: 'help' }],
    ['--version', { ...RUN, command: undefined, action: 'version' }],
    ['start -v', { ...RUN, command: 'start', action: 'version' }],
  ];
  for (const [line, wanted] of table) assert.equal(parseArguments(line.split(' ').filter(Boolean)), wanted, line);
});

test('what is refused, and in which words', () => {
  const table: [string, string, string | undefined][] = [
    ['strat', 'found an unknown command strat; did you mean start?', undefined],
    ['serve', 'found an unknown command serve; expected start, check-config, keys, verifier', undefined],
    ['start --confg x', 'found an unknown option --confg; did you mean --config?', 'start'],
    ['--confg x', 'found an unknown option --confg; did you mean --config?', undefined],
    ['start -x', 'found an unknown option -x; expected --config, --set, --help, --version', 'start'],
    ['start --no-config', 'found an unknown option --no-config; expected --config, --set, --help, --version', 'start'],
    ['start --__proto__', 'found an unknown option --__proto__; expected --config, --set, --help, --version', 'start'],
    ['start --config', '--config needs a file name after it', 'start'],
    ['start --config=', '--config needs a file name after it', 'start'],
    ['start --config --set a=b', '--config needs a file name after it', 'start'],
    ['start --set', '--set needs key=value after it', 'start'],
    ['start --config a --config b', 'one --config is expected, found 2', 'start'],
    ['start --help=yes', '--help takes no value, found yes', 'start'],
    ['start a.yaml', 'nothing is expected after start, found a.yaml', 'start'],
    ['start -- --config', 'nothing is expected after start, found --config', 'start'],
    ['verifier --method', '--method needs SCRAM-SHA-256 or SCRAM-SHA-512 after it', 'verifier'],
    ['verifier --iterations 1 --iterations 2', 'one --iterations is expected, found 2', 'verifier'],
    ['start --method x', 'start takes no --method', 'start'],
    ['keys --set a=b', 'keys takes no --set', 'keys'],
    ['--set a=b', 'a command is expected: start, check-config, keys, verifier', undefined],
  ];
  for (const [line, message, command] of table) {
    try {
      parseArguments(line.split(' '));
    } catch (error) {
      assert.instance(error, UsageError);
      if (error instanceof UsageError) assert.equal([error.message, error.command], [message, command], line);
      continue;
    }
    assert.unreachable(line);
  }
});

test('property: arbitrary arguments are taken or refused, nothing else', () => {
  const word = fc.oneof(
    fc.constantFrom(
      'start',
      'check-config',
      '--config',
      '--set',
      '-c',
      '-s',
      '-h',
      '--',
      '-',
      '--set=a',
      '-hv',
      '-vc',
      '--=x',
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (args) => {
      try {
        parseArguments(args);
      } catch (error) {
        assert.instance(error, UsageError);
      }
    }),
  );
});

test.run();
