import { DURABLE_GROUP } from '../../src/core/topic.ts';
import type { Link } from './feed.ts';
import type { Frame } from './frame.ts';
import { filterOf } from './names.ts';
import { queueOf } from './queue-fields.ts';
import { Refusal, shown } from './refusal.ts';
import { findFirst, readFlag } from './values.ts';
import { HEADER, NAMES } from './words.ts';

/** Durable subscriptions, as RabbitMQ's clients and as ActiveMQ's ask for them, and the keys they are kept under. */

const [NAME] = NAMES.subscriptionName;

/** Bytes of the longest name: of the 2,048 of a key that every store takes, some are routing's. */
const KEY_BYTES = 2000;

export interface DurableName {
  /** Under which it is known. */
  readonly key: string;
  /** What a client calls it, for the text of errors. */
  readonly title: string;
  /** Several connections may have it, each message being for one of them; undefined: one connection at a time has it. */
  readonly shared: SharedName | undefined;
}

/** A group that no other client can be a member of. */
interface SharedName {
  readonly group: string;
  readonly filter: string;
}

/** Which durable subscription a SUBSCRIBE to `filter` asks for; undefined when it asks for none. */
export function readDurable(frame: Frame, filter: string, link: Link): DurableName | undefined {
  const name = findFirst(frame, NAMES.subscriptionName)?.text;
  const durable = readFlag(frame, NAMES.durable, 'SUBSCRIBE') ?? false;
  if (queueOf(filter) !== undefined) {
    // Clients that misspell it send it with every SUBSCRIBE, and ActiveMQ lets it pass.
    if (frame.find(NAME) !== undefined) {
      throw new Refusal(
        'unsupported',
        `the header ${NAME} of SUBSCRIBE with a queue`,
        'It is for topics; leave it out.',
      );
    }
    // Queues are there for longer than their consumers anyway.
    return undefined;
  }
  // What is deleted with its last consumer is what every other subscription is.
  if (name === undefined && (!durable || readFlag(frame, NAMES.autoDelete, 'SUBSCRIBE'))) return undefined;
  const { sessionExpirySeconds } = link.services.limits;
  if (sessionExpirySeconds === 0) {
    const header = name === undefined ? 'durable' : NAME;
    const detail = `the header ${header} of SUBSCRIBE asks for what this server keeps for no time (limits.sessionExpirySeconds)`;
    throw new Refusal('unsupported', detail, 'Leave it out.');
  }
  if (name !== undefined) return byName(name, 'SUBSCRIBE', link);
  return byId(frame.text(HEADER.id), filter, 'SUBSCRIBE', link);
}

/** Which durable subscription an UNSUBSCRIBE deletes. */
export interface Deletion {
  /** Undefined when the id alone says it: then there must be a subscription of this connection with it. */
  readonly durable: DurableName | undefined;
  /** The id says it, too: what this connection has under it is meant, durable or not. */
  readonly byId: boolean;
}

/** What an UNSUBSCRIBE deletes; undefined when it deletes nothing. */
export function readDeletion(frame: Frame, link: Link): Deletion | undefined {
  const name = findFirst(frame, NAMES.subscriptionName)?.text;
  if (name !== undefined) return { durable: byName(name, 'UNSUBSCRIBE', link), byId: false };
  if (!readFlag(frame, NAMES.durable, 'UNSUBSCRIBE')) return undefined;
  const id = frame.text(HEADER.id);
  const destination = frame.text(HEADER.destination);
  if (id === undefined || destination === undefined) return { durable: undefined, byId: true };
  return { durable: byId(id, filterOf(destination, link.services.limits), 'UNSUBSCRIBE', link), byId: true };
}

/** RabbitMQ's: one for each user, id and destination, shared by all who subscribe to it. */
function byId(id: string | undefined, filter: string, command: string, link: Link): DurableName {
  if (id === undefined) {
    const detail = `${command} with durable:true, without the header id`;
    throw new Refusal('protocol', detail, 'The id is part of its name.', 'Missing Header');
  }
  const group = DURABLE_GROUP + encodeURIComponent(JSON.stringify([link.principal.name, id]));
  const title = `with the id ${shown(id)}`;
  return { key: checked(`${group}/${filter}`, title, command), title, shared: { group, filter } };
}

/** ActiveMQ's: one for each client id and name. */
function byName(name: string, command: string, link: Link): DurableName {
  if (name === '') {
    throw new Refusal('protocol', `the header ${NAME} of ${command} is empty`, 'A name is expected.');
  }
  if (!link.named) {
    throw new Refusal(
      'protocol',
      `${command} with the header ${NAME}, after a CONNECT without the header client-id`,
      'A subscription of that kind is known by client id and name: send client-id in CONNECT.',
    );
  }
  const title = `with the name ${shown(name)}`;
  // In JSON, parts of any characters stay apart.
  const key = `stomp:${JSON.stringify([link.clientId, name])}`;
  return { key: checked(key, title, command), title, shared: undefined };
}

function checked(key: string, title: string, command: string): string {
  const bytes = Buffer.byteLength(key);
  if (bytes <= KEY_BYTES) return key;
  const detail = `${command}: the durable subscription ${title} needs ${bytes} bytes for what names it; ${KEY_BYTES} are taken`;
  throw new Refusal('tooLarge', detail, 'Choose a shorter id, name or destination.');
}
