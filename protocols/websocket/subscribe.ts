import { BrokerError } from '../../src/core/errors.ts';
import { mqttFilterFault } from '../../src/core/filter.ts';
import { checkSettings, type PartialSettings } from '../../src/core/queue-settings.ts';
import type { Selector } from '../../src/core/selector.ts';
import { parseStart, START_FORMS, type Start } from '../../src/core/start.ts';
import { exchangeFault, isExchange, QUEUE_PREFIX } from '../../src/core/topic.ts';
import type { Limits } from '../../src/ports/limits.ts';
import { settingsRefusal } from '../../src/ports/rights.ts';
import {
  checkFields,
  isObject,
  type JsonObject,
  mistyped,
  RequestError,
  readBoolean,
  readChoice,
  readHeaderText,
  readInteger,
  readText,
  shown,
} from './codec.ts';
import type { KeptFeed } from './kept-session.ts';
import type { Link } from './link.ts';
import { readQueue } from './mapping.ts';
import { readSelector } from './selector.ts';

/** What a `subscribe` asks for: topics, a queue, or a place in a group. */

/** A subscription that is more than one of topics from now on. */
export interface Feed {
  readonly name: string;
  pump(): void;
  /** `forget`: it does not go on in a session. */
  close(forget: boolean): void;
  kept(): KeptFeed;
}

interface Named {
  readonly name: string;
  /** What the client must be allowed to subscribe to, and the field that says it. */
  readonly right: string;
  readonly field: 'filter' | 'queue';
  /** All that a session keeps of it, as JSON text. */
  readonly text: string;
}

export interface TopicRequest extends Named {
  readonly kind: 'topics';
  readonly filter: string;
  readonly noLocal: boolean;
  readonly selector: Selector | undefined;
  readonly positions: boolean;
  readonly start: Start;
}

interface Consuming extends Named {
  readonly prefetch: number;
  /** What is sent is settled by that. */
  readonly auto: boolean;
}

export interface QueueRequest extends Consuming {
  readonly kind: 'queue';
  readonly queue: string;
  readonly priority: number;
  readonly exclusive: boolean;
  readonly selector: Selector | undefined;
  readonly settings: PartialSettings | undefined;
}

export interface GroupRequest extends Consuming {
  readonly kind: 'group';
  readonly group: string;
  readonly filter: string;
  readonly ordered: boolean;
  readonly selector: Selector | undefined;
  readonly positions: boolean;
  readonly start: Start;
}

export type SubscribeRequest = TopicRequest | QueueRequest | GroupRequest;

/** Each kind by the field that tells it, and its other fields. */
const TOPICS = new Set(['type', 'id', 'filter', 'subscription', 'noLocal', 'selector', 'start', 'positions']);
const QUEUE = new Set([
  ...['type', 'id', 'queue', 'subscription', 'prefetch', 'acknowledge'],
  ...['consumerPriority', 'exclusive', 'selector', 'settings'],
]);
const GROUP = new Set([
  ...['type', 'id', 'group', 'filter', 'subscription', 'prefetch', 'acknowledge'],
  ...['groupOrder', 'selector', 'start', 'positions'],
]);

export const SUBSCRIBE_FIELDS: readonly string[] = [...new Set([...TOPICS, ...QUEUE, ...GROUP])];

export function readSubscribe(request: JsonObject, limits: Limits): SubscribeRequest {
  if (request.queue !== undefined) return readQueueRequest(request, limits);
  if (request.group !== undefined) return readGroupRequest(request, limits);
  checkFields(request, 'subscribe without queue or group', TOPICS);
  const filter = readFilter(request, limits);
  const start = readStart(request);
  return {
    kind: 'topics',
    ...named(request, filter, filter, 'filter', limits),
    filter,
    noLocal: readBoolean(request, 'noLocal'),
    selector: readSelector(request, limits),
    positions: readBoolean(request, 'positions') || start !== undefined,
    start: start ?? { from: 'new' },
  };
}

/** What a session kept of one; undefined when it is not taken any more. */
export function readKept(text: string, limits: Limits): SubscribeRequest | undefined {
  try {
    const kept: unknown = JSON.parse(text);
    return isObject(kept) ? readSubscribe(kept, limits) : undefined;
  } catch (error) {
    if (error instanceof RequestError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function readQueueRequest(request: JsonObject, limits: Limits): QueueRequest {
  checkFields(request, 'subscribe with queue', QUEUE);
  const queue = readQueue(request, limits) ?? '';
  return {
    kind: 'queue',
    ...named(request, queue, QUEUE_PREFIX + queue, 'queue', limits),
    ...readConsuming(request, limits),
    queue,
    priority: readInteger(request, 'consumerPriority', -100, 100) ?? 0,
    exclusive: readBoolean(request, 'exclusive'),
    selector: readSelector(request, limits),
    settings: readSettings(request),
  };
}

function readGroupRequest(request: JsonObject, limits: Limits): GroupRequest {
  checkFields(request, 'subscribe with group', GROUP);
  const group = readGroup(request, limits);
  const filter = readFilter(request, limits);
  const start = readStart(request);
  return {
    kind: 'group',
    ...named(request, filter, filter, 'filter', limits),
    ...readConsuming(request, limits),
    group,
    filter,
    ordered: readChoice(request, 'groupOrder', ['key']) !== undefined,
    selector: readSelector(request, limits),
    positions: readBoolean(request, 'positions') || start !== undefined,
    start: start ?? { from: 'new' },
  };
}

export function readGroup(request: JsonObject, limits: Limits): string {
  const group = readHeaderText(request, 'group', limits.topicBytes) ?? '';
  if (group !== '' && !/[/+#]/.test(group)) return group;
  const text = `group is ${shown(group)}; a name without /, + and # is expected`;
  throw new RequestError('fieldInvalid', 'group', text);
}

/** `usual`: the name when the client gives none. */
function named(request: JsonObject, usual: string, right: string, field: 'filter' | 'queue', limits: Limits): Named {
  const name = readName(request, limits) ?? usual;
  // A queue is made by the one who subscribes; who comes back finds it.
  const { type: _type, id: _id, settings: _settings, ...kept } = request;
  return { name, right, field, text: JSON.stringify(kept) };
}

const MAX_PREFETCH = 65_535;

function readConsuming(request: JsonObject, limits: Limits): Pick<Consuming, 'prefetch' | 'auto'> {
  return {
    prefetch: readInteger(request, 'prefetch', 1, MAX_PREFETCH) ?? limits.inflightOut,
    auto: readChoice(request, 'acknowledge', ['client', 'auto']) === 'auto',
  };
}

/** The name a client gave to a subscription; empty is no name. */
export function readName(request: JsonObject, limits: Limits): string | undefined {
  const name = readHeaderText(request, 'subscription', limits.topicBytes);
  if (name === '') throw new RequestError('fieldInvalid', 'subscription', 'subscription is empty; a name is expected');
  return name;
}

export function readFilter(request: JsonObject, limits: Limits): string {
  const filter = readText(request, 'filter');
  if (filter === undefined) {
    const text = 'filter is missing; a topic filter, or else queue, is expected';
    throw new RequestError('fieldInvalid', 'filter', text);
  }
  const fault = mqttFilterFault(filter, limits);
  if (fault !== undefined) throw new RequestError('filterInvalid', 'filter', `filter ${fault}`);
  checkServerNames(filter);
  return filter;
}

const INSTEAD: Readonly<Record<string, string>> = {
  $queue: 'a queue is named by queue',
  $share: 'a group is named by group, and its filter by filter',
};

/** Filters within the names that are the server's own. */
function checkServerNames(filter: string): void {
  const first = filter.split('/', 1)[0] ?? '';
  const instead = Object.hasOwn(INSTEAD, first) ? INSTEAD[first] : undefined;
  if (instead !== undefined) {
    throw new RequestError('unsupported', 'filter', `filter begins with ${first}: in trimaran.v1 ${instead}`);
  }
  const fault = exchangeFault(filter);
  if (fault !== undefined) throw new RequestError('filterInvalid', 'filter', `filter ${fault}`);
  if (first.startsWith('$') && first !== '$SYS' && !isExchange(filter)) {
    throw new RequestError(
      'filterInvalid',
      'filter',
      "filter begins with $, which is the server's own; only $SYS and $exchange may be read",
    );
  }
}

export function readStart(request: JsonObject): Start | undefined {
  const text = readText(request, 'start');
  if (text === undefined) return undefined;
  const start = parseStart(text);
  if (start !== undefined) return start;
  throw new RequestError('fieldInvalid', 'start', `start is ${shown(text)}; one of ${START_FORMS} is expected`);
}

/** What a queue is to be set to. */
export function readSettings(request: JsonObject): PartialSettings | undefined {
  const { settings } = request;
  if (settings === undefined) return undefined;
  if (!isObject(settings)) throw mistyped('settings', settings, 'an object of queue settings');
  try {
    return checkSettings(settings);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    throw new RequestError('fieldInvalid', 'settings', `settings: ${error.message}`);
  }
}

/** Throws a RequestError for settings that reach further than the client may. */
export function requireSettings(settings: PartialSettings | undefined, { services, principal }: Link): void {
  const refusal = settings && settingsRefusal(services.authorizer, principal, settings);
  if (refusal !== undefined) throw new RequestError('notAuthorized', 'settings', `settings: ${refusal}`);
}
