import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { consume, message, Publisher, setUp } from '../support/simulated-peers.ts';

/** What another node sends may be of another version, cut off, or garbage: it is logged, and nothing else comes of it. */

const test = suite('fuzz/peers');

/** What nodes say to each other when one has a queue and the other consumes and fills it. */
async function conversation(): Promise<Uint8Array[]> {
  const { nodes, cluster } = setUp('a', 'b');
  const [a, b] = nodes;
  if (a === undefined || b === undefined) throw new Error('there are two');
  const said: Uint8Array[] = [];
  for (const { peers } of [a, b]) {
    const received = peers.received.bind(peers);
    peers.received = (from, bytes) => {
      said.push(Uint8Array.from(bytes));
      received(from, bytes);
    };
  }
  a.peers.queues.push('q', message('first'), new Publisher(), 0);
  await cluster.pass(50);
  const worker = consume(b, 'q');
  for (let i = 0; i < 5; i++) b.peers.queues.push('q', message(`${i}`, `id ${i}`), new Publisher(), i);
  await cluster.pass(50);
  for (const call of [b.peers.queues.status('q'), b.peers.queues.browse('q', 0, 10), b.peers.queues.purge('q')])
    call.catch(() => {});
  await cluster.pass(50);
  worker.consumption?.cancel();
  await cluster.pass(50);
  return said;
}

const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });

test('packets with bytes changed, cut off or made up are survived, and other nodes are served', async () => {
  const said = await conversation();
  assert.ok(said.length > 5, `${said.length} packets to begin with`);
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.tuple(fc.nat(said.length - 1), changes, fc.option(fc.nat(), { nil: undefined })).map(([which, all, cut]) => {
      const bytes = Uint8Array.from(said[which] ?? []);
      for (const [at, value] of all) bytes[at % bytes.length] = value;
      return cut === undefined ? bytes : bytes.subarray(0, cut % bytes.length);
    }),
    // Lengths and counts that are more than there is.
    fc.constantFrom([5, 4, 0], [0, 0xff, 0xff, 0xff, 0xff, 0x7f], [4, 0xff, 0xff, 0xff, 0x7f]).map((tail) => {
      return Uint8Array.from([0, 99, 0, 0, ...tail]);
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(garbage, { maxLength: 12 }), async (packets) => {
      const { nodes, cluster } = setUp('a', 'b', 'c');
      const [a, b, c] = nodes;
      if (a === undefined || b === undefined || c === undefined) throw new Error('there are three');
      a.peers.queues.push('q', message('first'), new Publisher(), 0);
      await cluster.pass(50);
      for (const bytes of packets) a.peers.received('b', bytes);
      for (const bytes of packets) b.peers.received('a', bytes);
      await cluster.pass(100);
      const publisher = new Publisher();
      c.peers.queues.push('q', message('after'), publisher, 0);
      await cluster.pass(1000);
      assert.equal(publisher.stored, ['after']);
    }),
    { numRuns: 500 },
  );
});

test.run();
