import type { Link } from './feed.ts';
import { AMQ_QUEUE } from './names.ts';
import { Refusal, shown } from './refusal.ts';

/** RabbitMQ's `/amq/queue/NAME`: a queue that is there, by whomever it was made. It is neither made nor set to anything. */

export function isAmqQueue(destination: string): boolean {
  return destination.startsWith(AMQ_QUEUE);
}

/** Throws a Refusal where there is no such queue, or it is to be set. */
export function requireQueue(link: Link, queue: string, settings: object | undefined, command: string): void {
  const [setting] = Object.keys(settings ?? {});
  if (setting !== undefined) {
    throw new Refusal(
      'fieldInvalid',
      `${command} sets ${setting} of the queue ${shown(queue)}, but /amq/queue/… declares nothing`,
      'Leave it out, or name the queue as /queue/NAME.',
    );
  }
  if (link.services.queues.has(queue)) return;
  const detail = `${command}: there is no queue ${shown(queue)}, and /amq/queue/… does not make it`;
  throw new Refusal('notFound', detail, 'Name it as /queue/NAME, by which it is made.');
}
