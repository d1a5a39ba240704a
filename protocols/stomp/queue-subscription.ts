import type { BrokerError } from '../../src/core/errors.ts';
import type { Consumption } from '../../src/ports/queues.ts';
import { ConsumerSubscription } from './consumer-subscription.ts';
import type { Link } from './feed.ts';
import { deleteNamed, requireNamed } from './named-queue.ts';
import type { QueueRequest } from './subscribe.ts';
import type { Effect } from './subscription.ts';

/** A consumer of a queue. What it has not acknowledged when it goes is given to others. */
export class QueueSubscription extends ConsumerSubscription<Consumption> {
  readonly durable = undefined;
  readonly joins = true;
  readonly #request: QueueRequest;

  constructor(link: Link, number: number, request: QueueRequest, failed: (error: BrokerError) => void) {
    super(link, number, request, failed);
    this.#request = request;
  }

  protected consume(): Consumption {
    const { queue, prefetch, priority, exclusive, locksOut, selector, settings } = this.#request;
    const options = {
      clientId: this.link.clientId,
      prefetch,
      priority,
      exclusive,
      ...(locksOut && { locksOut }),
      ...(selector !== undefined && { selector: selector.text }),
    };
    return this.link.services.queues.consume(queue, this, options, settings);
  }

  override unsubscribe(forever: boolean): Effect {
    const { opened } = this;
    const settled = super.unsubscribe(forever);
    const { named, queue } = this.#request;
    if (!named || !forever) return settled;
    // Until it has begun it may be refused, and is no consumer of that queue: only its SUBSCRIBE was.
    if (!opened) requireNamed(queue, this.link);
    // What was settled goes with the queue, also where the store could not write it.
    settled?.catch(() => {});
    return deleteNamed(this.link.services.queues, queue);
  }

  protected leave(consumption: Consumption): void {
    consumption.cancel();
  }
}
