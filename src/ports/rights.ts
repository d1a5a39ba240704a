import type { PartialSettings } from '../core/queue-settings.ts';
import { QUEUE_PREFIX, REPLY_PREFIX } from '../core/topic.ts';
import type { Authorizer, Principal } from './authorizer.ts';

/** Rights that follow from those an `Authorizer` gives: the same in every protocol. */

/**
 * Why a client may not have a queue set so; undefined when it may. Through its bindings it gets messages of topics, and
 * through its dead letters it fills another queue, or a topic: it needs the rights that it would need to do so itself.
 */
export function settingsRefusal(
  authorizer: Authorizer,
  principal: Principal,
  { bindings = [], deadLetterQueue = '', deadLetterTopic = '' }: PartialSettings,
): string | undefined {
  const binding = bindings.find((filter) => !authorizer.maySubscribe(principal, filter));
  if (binding !== undefined) return `bindings: not allowed to subscribe to ${JSON.stringify(binding.slice(0, 80))}`;
  if (deadLetterTopic !== '' && !authorizer.mayPublish(principal, deadLetterTopic))
    return `deadLetterTopic: not allowed to publish to ${JSON.stringify(deadLetterTopic.slice(0, 80))}`;
  if (deadLetterQueue === '' || authorizer.mayPublish(principal, QUEUE_PREFIX + deadLetterQueue)) return undefined;
  return `deadLetterQueue: not allowed to publish to the queue ${JSON.stringify(deadLetterQueue.slice(0, 80))}`;
}

/**
 * Whether a client may have answers sent to this topic. Who answers does so with rights of their own: a topic out of the
 * asker's reach must not be reached through them.
 */
export function mayBeAnswered(authorizer: Authorizer, principal: Principal, topic: string): boolean {
  // Whoever knows its name may answer there.
  if (topic.startsWith(REPLY_PREFIX)) return true;
  return authorizer.maySubscribe(principal, topic) || authorizer.mayPublish(principal, topic);
}
