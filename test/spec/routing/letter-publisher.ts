import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import type { Message } from '../../../src/core/message.ts';
import type { AppendReceiver } from '../../../src/ports/backbone.ts';
import type { QueueInlet } from '../../../src/routing/hosts.ts';
import { LetterPublisher } from '../../../src/routing/queues/letter-publisher.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { messageOf } from './support/queues.ts';

/** Dead letters on a topic with bound queues, of which one is full. */

const test = suite('routing/letter-publisher');

class World {
  readonly clock = new ManualClock();
  bound = ['full', 'other'];
  /** What was asked of whom, in order. */
  readonly asked: string[] = [];
  readonly answers: string[] = [];
  readonly full = new Set(['full']);
  readonly letter = messageOf('letter', {}, 'dead');
  readonly #publisher: LetterPublisher;

  constructor() {
    this.letter.dedupId = 'id';
    const store = (place: string, { dedupId }: Message, receiver: AppendReceiver): void => {
      this.asked.push(`${place} ${dedupId}`);
      const error = new BrokerError('quota', 'full');
      if (this.full.has(place)) this.clock.defer(() => receiver.refused(0, error));
      else this.clock.defer(() => receiver.appended(0, this.letter));
    };
    const queues: QueueInlet = {
      bound: () => this.bound,
      push: store,
      ready: () => undefined,
      full: () => undefined,
      request: () => {},
    };
    this.#publisher = new LetterPublisher((message, receiver) => store('log', message, receiver), queues, this.clock);
  }

  async publish(): Promise<void> {
    const receiver: AppendReceiver = {
      appended: (token) => this.answers.push(`${token} appended`),
      refused: (token, { code }) => this.answers.push(`${token} ${code}`),
    };
    this.#publisher.publish(this.letter, receiver, 7);
    await this.clock.settle();
  }
}

test('what is tried again goes only where it was refused', async () => {
  const world = new World();
  await world.publish();
  assert.equal(world.asked.splice(0), ['log id', 'full id', 'other id']);
  await world.publish();
  assert.equal(world.asked.splice(0), ['full id']);
  world.full.clear();
  await world.publish();
  assert.equal([world.asked, world.answers], [['full id'], ['7 quota', '7 quota', '7 appended']]);
});

test('the log, too, is asked again alone', async () => {
  const world = new World();
  world.full.clear();
  world.full.add('log');
  await world.publish();
  world.full.clear();
  await world.publish();
  assert.equal(world.asked, ['log id', 'full id', 'other id', 'log id']);
});

test('nobody is missing any more: the queue that refused it was deleted', async () => {
  const world = new World();
  await world.publish();
  world.bound = ['other'];
  await world.publish();
  assert.equal(world.answers, ['7 quota', '7 appended']);
});

test.run();
