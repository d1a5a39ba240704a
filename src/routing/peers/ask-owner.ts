import type { Clock } from '../../ports/clock.ts';
import { Interrupted, Moved, type Ownership } from './ownership.ts';

/** How often the owner is looked for when the one asked is gone or is none, and milliseconds between, doubled each time. */
const TRIES = 10;
const RETRY = 25;

/** Asks the owner, and the next one when that one is gone. `moved`: that node does not have it any more. */
export async function askOwner<Answer>(
  ownership: Ownership,
  name: string,
  clock: Clock,
  ask: (node: string) => Promise<Answer>,
  moved: (node: string) => void,
): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    const node = await ownership.find(name);
    try {
      return await ask(node);
    } catch (error) {
      if (!(error instanceof Moved) || tries === TRIES) throw error;
      if (!(error instanceof Interrupted)) moved(node);
    }
    await new Promise<void>((done) => clock.schedule(RETRY * 2 ** tries, done));
  }
}
