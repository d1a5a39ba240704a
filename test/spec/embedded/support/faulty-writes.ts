import { setTimeout as sleep } from 'node:timers/promises';
import { type Change, Store } from '../../../../adapters/embedded/store.ts';
import { BrokerError } from '../../../../src/core/errors.ts';

/**
 * Lets writes of the embedded store fail as those of LevelDB do: nothing shows of one until the store is opened again, and
 * then it is not there, or it is all the same. Or lets them take their time.
 */
export type Fault = 'gone' | 'there';

let next: Fault | undefined;
let wait = 0;
const left = new WeakMap<Store, Change[]>();
const { write, close } = Store.prototype;

Store.prototype.write = function (this: Store, changes: Iterable<Change>, sync: boolean): Promise<void> {
  if (sync && wait > 0) {
    const milliseconds = wait;
    wait = 0;
    return sleep(milliseconds).then(() => write.call(this, changes, sync));
  }
  const fault = next;
  // Others than those of the group commit are removals in the background.
  if (fault === undefined || !sync) return write.call(this, changes, sync);
  next = undefined;
  if (fault === 'there') left.set(this, [...changes]);
  return Promise.reject(new BrokerError('quota', 'the store is full or its disk fails: for the test'));
};

Store.prototype.close = async function (this: Store): Promise<void> {
  const changes = left.get(this);
  if (changes !== undefined) await write.call(this, changes, false);
  return close.call(this);
};

/** The next write fails. */
export function failNext(fault: Fault): void {
  next = fault;
}

/** The next write takes so long. */
export function slowNext(milliseconds: number): void {
  wait = milliseconds;
}
