import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Heap } from '../../../src/core/heap.ts';

const test = suite('core/heap');

test('what comes out is always the least of what is in', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 20 }))), (steps) => {
      const heap = new Heap<number>((a, b) => a < b);
      let model: number[] = [];
      for (const step of steps) {
        if (step !== null) {
          heap.push(step);
          model = [...model, step].sort((a, b) => a - b);
        } else assert.is(heap.pop(), model.shift());
        assert.equal([heap.size, heap.peek()], [model.length, model[0]]);
      }
    }),
  );
});

test.run();
