import type { QueueEntry } from '../../ports/queue-store.ts';
import { EntryList } from './entries.ts';
import { KeyTable } from './keys.ts';

const NONE: readonly QueueEntry[] = [];

/** What was taken from the source and is with nobody. */
export class Waiting {
  /** For whoever comes next. */
  readonly window = new EntryList();
  /** Behind others of their key, or for their retry. */
  readonly keys = new KeyTable(this.window);
  /** Given back during the dispatch: for another turn, so that a consumer that gives back all does not hold up the rest. */
  #again: QueueEntry[] = [];

  get size(): number {
    return this.window.size + this.keys.size + this.#again.length;
  }

  /** There is something for another turn. */
  get resumes(): boolean {
    return this.#again.length > 0;
  }

  addLater(entry: QueueEntry): void {
    this.#again.push(entry);
  }

  resume(): void {
    for (const entry of this.#again.splice(0)) this.window.add(entry);
  }

  /** Takes out what is to go, except what waits for its retry. */
  takeSome(goes: (entry: QueueEntry) => boolean): QueueEntry[] {
    return [...this.window.take(goes), ...this.keys.takeParked(goes)];
  }

  takeAll(): QueueEntry[] {
    return [...this.keys.takeDelayed().map(({ entry }) => entry), ...this.#take()];
  }

  /** Takes out all but what waits for its retry, the first one first. */
  takeReady(): readonly QueueEntry[] {
    return this.size === 0 ? NONE : this.#take();
  }

  #take(): QueueEntry[] {
    return [...this.#again.splice(0), ...this.window.take(), ...this.keys.takeParked()];
  }
}
