import { newDirectory, Opened } from '../spec/embedded/support/opened.ts';
import { ShiftedClock } from '../support/shifted-clock.ts';
import { queuesContract } from './queues.ts';

let directory: string;
let clock: ShiftedClock;
let opened: Opened;

async function open(): Promise<Opened['backbone']['queues']> {
  opened = await Opened.open(directory, {}, clock);
  return opened.backbone.queues;
}

queuesContract({
  name: 'embedded',
  create() {
    directory = newDirectory();
    clock = new ShiftedClock();
    return open();
  },
  async restart() {
    await opened.stop();
    return open();
  },
  forward: (milliseconds) => {
    clock.shift += milliseconds;
  },
  end: () => opened.stop(),
});
