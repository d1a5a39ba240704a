import { BrokerError } from '../../src/core/errors.ts';
import type { PartialSettings } from '../../src/core/queue-settings.ts';
import { QUEUE_PREFIX } from '../../src/core/topic.ts';
import type { Queues } from '../../src/ports/queues.ts';
import type { Link } from './feed.ts';
import type { Frame } from './frame.ts';
import { readSettings } from './queue-fields.ts';
import { Refusal, shown } from './refusal.ts';
import { readFlag, refuseAll } from './values.ts';
import { NAMES } from './words.ts';

/**
 * RabbitMQ's `x-queue-name`: a subscription to a topic is a queue there, which gets a name by this header. So it is here with the
 * header: a queue, bound to the topic, whose consumers share what is published there. Without it, a subscription is no queue.
 */

const [NAME] = NAMES.queueName;

export function readQueueName(frame: Frame): string | undefined {
  const name = frame.find(NAME);
  if (name === '') throw new Refusal('fieldInvalid', `the header ${NAME} is empty`, 'The name of a queue is expected.');
  return name;
}

/** The queue that a SUBSCRIBE to a topic gives a name; undefined when it does not. Throws a Refusal. */
export function readNamedQueue(
  frame: Frame,
  filter: string,
  { services }: Link,
): { readonly queue: string; readonly settings: PartialSettings } | undefined {
  const queue = readQueueName(frame);
  if (queue === undefined) return undefined;
  const others = [NAMES.group, NAMES.groupOrder, NAMES.start, NAMES.positions, NAMES.noLocal, NAMES.browser];
  refuseAll(frame, 'SUBSCRIBE', [...others, NAMES.subscriptionName], `subscriptions without ${NAME}`);
  const { limits } = services;
  const given = readSettings(frame, { command: 'SUBSCRIBE', queue, limits });
  // As a subscription of each kind ends: with its last consumer, unless it is durable.
  const autoDelete = readFlag(frame, NAMES.durable, 'SUBSCRIBE') !== true;
  return { queue, settings: { autoDelete, ...given, bindings: [filter] } };
}

/** Deletes such a queue, with its other consumers; one that there is not is no error. */
export async function deleteNamed(queues: Queues, queue: string): Promise<void> {
  const status = await queues.status(queue);
  if (status === undefined) return;
  if (status.settings.bindings.length === 0) {
    const detail = `UNSUBSCRIBE: the queue ${shown(queue)} is bound to no topic, and is not deleted by the header ${NAME}`;
    throw new Refusal('fieldInvalid', detail, 'It goes by the settings it was made with: auto-delete, x-expires.');
  }
  try {
    await queues.delete(queue);
  } catch (error) {
    if (!(error instanceof BrokerError) || error.code !== 'notFound') throw error;
  }
}

/** Who is not a consumer of it needs the rights that deleting any queue needs. Throws a Refusal. */
export function requireNamed(queue: string, { services, principal }: Link): void {
  const { authorizer } = services;
  const topic = QUEUE_PREFIX + queue;
  if (authorizer.maySubscribe(principal, topic) && authorizer.mayPublish(principal, topic)) return;
  const detail = `UNSUBSCRIBE: not allowed to delete the queue ${shown(queue)}, for which one must be allowed to subscribe to it and to publish to it`;
  throw new Refusal('notAuthorized', detail);
}
