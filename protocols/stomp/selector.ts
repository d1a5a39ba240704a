import { BrokerError } from '../../src/core/errors.ts';
import { type Naming, parseSelector, type Read, type Selector } from '../../src/core/selector.ts';
import type { Limits } from '../../src/ports/limits.ts';
import type { Frame } from './frame.ts';
import { destinationOf } from './names.ts';
import { Refusal, shown } from './refusal.ts';
import { NAMES } from './words.ts';

/** The header `selector` of SUBSCRIBE, and the names in it that are STOMP's own. */

const destination: Read = (message) => destinationOf(message.topic);

const replyTo: Read = ({ properties }) => {
  const topic = properties?.responseTopic;
  return topic === undefined ? undefined : destinationOf(topic);
};

/** Topics as destinations, as MESSAGE has them. */
const DESTINATIONS: ReadonlyMap<string, Read> = new Map([
  ['destination', destination],
  ['JMSDestination', destination],
  ['reply-to', replyTo],
  ['JMSReplyTo', replyTo],
]);

/** What frames say of themselves and of a delivery; user properties of these names are known with `user.` before them. */
const NOT_OF_MESSAGES: ReadonlySet<string> = new Set([
  'ack',
  'browser',
  'delivery-count',
  'expiration',
  'position',
  'receipt',
  'redelivered',
  'retain',
  'subscription',
  'transaction',
  'JMSRedelivered',
  'JMSXDeliveryCount',
]);

const namesOfTopics: Naming = (name) => {
  if (!NOT_OF_MESSAGES.has(name)) return DESTINATIONS.get(name);
  const advice = `write user.${name} for a header of that name that a message brings along`;
  throw new BrokerError('fieldInvalid', `the selector asks for ${name}, which is not of the message; ${advice}`);
};

/** Who has a queue or a group knows topics, not destinations. */
const namesElsewhere: Naming = (name) => {
  if (!DESTINATIONS.has(name)) return namesOfTopics(name);
  const only = 'only subscriptions to topics that no one shares may';
  throw new BrokerError('fieldInvalid', `the selector asks for ${name}, which ${only}`);
};

/**
 * undefined where there is none; an empty one is none, too (JMS 2.0, 3.8.1.1). Throws a Refusal.
 *
 * - `here`: this connection selects.
 * - `elsewhere`: so does the node that has the queue or the group, which gets the text.
 */
export function readSelector(frame: Frame, where: 'here' | 'elsewhere', limits: Limits): Selector | undefined {
  const text = frame.find(NAMES.selector[0]);
  if (text === undefined || text === '') return undefined;
  try {
    return parseSelector(text, limits, where === 'here' ? namesOfTopics : namesElsewhere);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    throw new Refusal(error.code, `SUBSCRIBE: ${error.message}`, `The header selector is ${shown(text)}.`);
  }
}
