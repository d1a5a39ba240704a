import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Fifo } from '../../../src/core/fifo.ts';

const test = suite('fifo');

test('what is put in comes out in order, with many inside and none', () => {
  const fifo = new Fifo<number>();
  let next = 0;
  for (let i = 0; i < 10_000; i++) {
    fifo.push(i);
    if (i % 3 !== 0) assert.is(fifo.shift(), next++);
    if (i % 1000 === 0)
      assert.equal(
        [...fifo],
        [...Array(fifo.size).keys()].map((each) => each + next),
      );
  }
  while (fifo.size > 0) assert.is(fifo.shift(), next++);
  assert.is(next, 10_000);
  assert.equal([fifo.peek(), fifo.shift(), fifo.size], [undefined, undefined, 0]);
});

test('what is put before the others comes first, whether or not there is room for it', () => {
  const fifo = new Fifo<number>();
  for (let i = 0; i < 5; i++) fifo.push(i);
  const taken = [fifo.shift(), fifo.shift(), fifo.shift()].map(Number);
  fifo.unshift(taken.slice(1));
  assert.equal([fifo.size, ...fifo], [4, 1, 2, 3, 4]);
  fifo.unshift([7, 8, 9, 0]);
  assert.is(fifo.peek(), 7);
  assert.equal(fifo.take(), [7, 8, 9, 0, 1, 2, 3, 4]);
  assert.equal([fifo.size, ...fifo], [0]);
});

test.run();
