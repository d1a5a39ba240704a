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

/** Where the queue is, which may be another node, destinations are not known. */
const namesOfQueues: Naming = (name) => {
  if (!DESTINATIONS.has(name)) return namesOfTopics(name);
  throw new BrokerError('fieldInvalid', `the selector asks for ${name}, which is for topics, not for queues`);
};

/** undefined where there is none; an empty one is none, too (JMS 2.0, 3.8.1.1). Throws a Refusal. */
export function readSelector(frame: Frame, queue: boolean, limits: Limits): Selector | undefined {
  const text = frame.find(NAMES.selector[0]);
  if (text === undefined || text === '') return undefined;
  try {
    return parseSelector(text, limits, queue ? namesOfQueues : namesOfTopics);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    throw new Refusal(error.code, `SUBSCRIBE: ${error.message}`, `The header selector is ${shown(text)}.`);
  }
}
