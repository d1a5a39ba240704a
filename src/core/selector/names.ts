import { correlationText } from '../correlation.ts';
import type { Message, Properties } from '../message.ts';
import { refused } from './fault.ts';

/** What a name in a selector stands for, in one message. */
export type Scalar = string | number | boolean;
export type Read = (message: Message) => Scalar | undefined;

/** A protocol's own names; undefined for those that are not. Throws a BrokerError for those that cannot be asked for. */
export type Naming = (name: string) => Read | undefined;

/** Prefix that names a user property whose plain name stands for something else. */
const USER = 'user.';

const priority: Read = ({ properties }) => properties?.priority ?? 0;
const expiration: Read = ({ properties }) => properties?.expiresAt ?? 0;
const timestamp: Read = (message) => message.timestamp;
const size: Read = (message) => message.size;
const messageId: Read = ({ properties }) => properties?.messageId;
const key: Read = ({ properties }) => properties?.key;
const correlation: Read = ({ properties }) => textOf(properties);

/**
 * What a message carries beside user properties: by the names that JMS has for it (JMS 2.0, 3.8.1.1), by those of ActiveMQ
 * Artemis, and by those of headers.
 */
const NAMES: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['JMSDeliveryMode', ({ qos }) => (qos > 0 ? 'PERSISTENT' : 'NON_PERSISTENT')],
  ['JMSPriority', priority],
  ['JMSMessageID', messageId],
  ['JMSTimestamp', timestamp],
  ['JMSCorrelationID', correlation],
  ['JMSType', userProperty('type')],
  ['JMSExpiration', expiration],
  ['JMSXGroupID', key],
  ['AMQDurable', ({ qos }) => (qos > 0 ? 'DURABLE' : 'NON_DURABLE')],
  ['AMQPriority', priority],
  ['AMQTimestamp', timestamp],
  ['AMQExpiration', expiration],
  ['AMQSize', size],
  ['content-length', size],
  ['content-type', ({ properties }) => properties?.contentType],
  ['correlation-id', correlation],
  ['expires', ({ properties }) => properties?.expiresAt],
  ['message-id', messageId],
  ['amqp-message-id', messageId],
  ['persistent', ({ qos }) => qos > 0],
  // On topics these are user properties, too, whatever their values.
  ['priority', either(({ properties }) => properties?.priority, userProperty('priority'))],
  ['key', either(key, userProperty('key'))],
]);

function textOf(properties: Properties | undefined): string | undefined {
  const bytes = properties?.correlation;
  return bytes === undefined ? undefined : correlationText(bytes);
}

function either(first: Read, second: Read): Read {
  return (message) => first(message) ?? second(message);
}

/** The first of the user properties of that name. */
export function userProperty(name: string): Read {
  return ({ properties }) => {
    const user = properties?.user;
    if (user === undefined) return undefined;
    for (let i = 0; i < user.length; i++) {
      const property = user[i];
      if (property !== undefined && property[0] === name) return property[1];
    }
    return undefined;
  };
}

/** Throws a BrokerError for names of JMS that stand for nothing here. */
export function readOf(name: string, naming: Naming | undefined): Read {
  const read = naming?.(name) ?? NAMES.get(name);
  if (read !== undefined) return read;
  // JMS reserves its prefix; names with JMSX are properties that anyone may set.
  if (name.startsWith('JMS') && !name.startsWith('JMSX')) {
    const known = [...NAMES.keys()].filter((each) => each.startsWith('JMS')).join(', ');
    throw refused(`asks for ${name}, which is not known of a message here; of JMS's names, ${known} are`);
  }
  return userProperty(name.startsWith(USER) ? name.slice(USER.length) : name);
}
