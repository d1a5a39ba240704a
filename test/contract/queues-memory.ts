import { MemoryQueueStores } from '../../adapters/memory/queues.ts';
import { ShiftedClock } from '../support/shifted-clock.ts';
import { queuesContract } from './queues.ts';

let clock: ShiftedClock;
let stores: MemoryQueueStores;

queuesContract({
  name: 'memory',
  async create() {
    clock = new ShiftedClock();
    stores = new MemoryQueueStores({ seconds: 120, messages: 1000 }, clock);
    return stores;
  },
  async restart() {
    stores.crash();
    return stores;
  },
  forward: (milliseconds) => {
    clock.shift += milliseconds;
  },
  async end() {
    stores.crash();
  },
});
