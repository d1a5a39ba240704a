import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConnectionBacklog } from '../../../src/routing/backlog.ts';

const test = suite('routing/backlog');

function setUp(limit: number) {
  const log = { behind: false };
  const calls: string[] = [];
  const unexpected = (): never => {
    throw new Error('not part of this');
  };
  const router = {
    publish: unexpected,
    publishAll: unexpected,
    subscribe: unexpected,
    unsubscribe: unexpected,
    positions: unexpected,
    request: unexpected,
    congested: () => log.behind,
  };
  const connection = {
    peer: { name: 'p', loopback: true, transport: 'tcp' as const },
    buffer: Buffer.alloc(0),
    received: 0,
    begin: unexpected,
    reserve: unexpected,
    attach: unexpected,
    full: unexpected,
    end: unexpected,
    pause: () => void calls.push('pause'),
    resume: () => void calls.push('resume'),
  };
  return { log, calls, backlog: new ConnectionBacklog(router, connection, limit) };
}

test('at its limit the connection is paused, at half of it resumed', () => {
  const { calls, backlog } = setUp(4);
  for (let i = 0; i < 3; i++) backlog.add();
  assert.equal(calls, []);
  backlog.add();
  backlog.add();
  assert.equal(calls, ['pause']);
  backlog.remove();
  backlog.remove();
  assert.equal(calls, ['pause']);
  backlog.remove();
  assert.equal(calls, ['pause', 'resume']);
  assert.is(backlog.size, 2);
});

test('while the log is behind, the first message pauses, and only the last one resumes', () => {
  const { log, calls, backlog } = setUp(100);
  log.behind = true;
  backlog.add();
  backlog.add();
  assert.equal(calls, ['pause']);
  backlog.remove();
  assert.equal(calls, ['pause']);
  backlog.remove();
  assert.equal(calls, ['pause', 'resume']);
  assert.not(backlog.paused);
});

test.run();
