import type { Limits } from '../../src/ports/limits.ts';
import { type DurableName, readDurable } from './durable.ts';
import type { AckMode, Link } from './feed.ts';
import type { Frame } from './frame.ts';
import { filterOf } from './names.ts';
import { Refusal, shown } from './refusal.ts';
import { VERSION } from './version.ts';
import { HEADER } from './words.ts';

/** A SUBSCRIBE, understood. */
export interface SubscribeRequest {
  readonly id: string | undefined;
  /** The same as it stands in the frame, a character per byte. */
  readonly rawId: string | undefined;
  readonly destination: string;
  /** In the internal form; a queue's begins with `$queue/`. */
  readonly filter: string;
  readonly ack: AckMode;
  /** Messages it may have unacknowledged. */
  readonly prefetch: number;
  readonly noLocal: boolean;
  /** What it is kept as after the connection; undefined when it is not. */
  readonly durable: DurableName | undefined;
}

/** Headers that would promise what is not done; `false` in them asks for nothing. */
const NOT_OFFERED = ['selector', 'browser'] as const;

export function readSubscribe(frame: Frame, link: Link): SubscribeRequest {
  const { limits } = link.services;
  const destination = frame.text(HEADER.destination);
  if (destination === undefined) {
    throw new Refusal(
      'protocol',
      'SUBSCRIBE without the header destination',
      'It names a topic or a queue: /topic/NAME or /queue/NAME.',
    );
  }
  const id = frame.text(HEADER.id);
  if (id === undefined && link.version !== VERSION.v10) {
    throw new Refusal(
      'protocol',
      'SUBSCRIBE without the header id',
      'Since STOMP 1.1 each subscription has an id of its own.',
    );
  }
  const filter = filterOf(destination, limits);
  refuseUnoffered(frame);
  const noLocal = frame.find('no-local') ?? frame.find('activemq.noLocal');
  return {
    id,
    rawId: frame.raw(HEADER.id),
    destination,
    filter,
    ack: readAck(frame.text(HEADER.ack)),
    prefetch: readPrefetch(frame, limits),
    noLocal: noLocal === 'true',
    durable: readDurable(frame, filter, link),
  };
}

function readAck(text: string | undefined): AckMode {
  if (text === undefined || text === 'auto') return 'auto';
  if (text === 'client' || text === 'client-individual') return text;
  throw new Refusal(
    'protocol',
    `the header ack ${shown(text)} of SUBSCRIBE is not known`,
    'auto, client or client-individual is expected.',
  );
}

/** By RabbitMQ's or ActiveMQ's header; 0 asks for as many as can be had. */
function readPrefetch(frame: Frame, limits: Limits): number {
  for (const name of ['prefetch-count', 'activemq.prefetchSize']) {
    const text = frame.find(name);
    if (text === undefined) continue;
    if (!/^[0-9]{1,9}$/.test(text)) {
      throw new Refusal(
        'protocol',
        `the header ${name} ${shown(text)} is not a number`,
        'A number of messages is expected.',
      );
    }
    const asked = Number(text);
    const most = Math.max(limits.stompPrefetch, limits.outboxMessages);
    return asked === 0 ? most : Math.min(asked, most);
  }
  return limits.stompPrefetch;
}

function refuseUnoffered(frame: Frame): void {
  for (const name of NOT_OFFERED) {
    const text = frame.find(name);
    if (text === undefined || text === 'false') continue;
    const detail = `the header ${name} of SUBSCRIBE asks for what is not offered yet`;
    throw new Refusal('unsupported', detail, 'Leave it out.');
  }
}
