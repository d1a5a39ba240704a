/** The commands and headers of STOMP, recognised by their bytes. */

export const COMMAND = {
  unknown: 0,
  send: 1,
  subscribe: 2,
  unsubscribe: 3,
  ack: 4,
  nack: 5,
  begin: 6,
  commit: 7,
  abort: 8,
  connect: 9,
  disconnect: 10,
  /** CONNECTED, MESSAGE, RECEIPT, ERROR: what only servers send. */
  server: 11,
} as const;

export type Command = (typeof COMMAND)[keyof typeof COMMAND];

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['SEND', COMMAND.send],
  ['SUBSCRIBE', COMMAND.subscribe],
  ['UNSUBSCRIBE', COMMAND.unsubscribe],
  ['ACK', COMMAND.ack],
  ['NACK', COMMAND.nack],
  ['BEGIN', COMMAND.begin],
  ['COMMIT', COMMAND.commit],
  ['ABORT', COMMAND.abort],
  ['CONNECT', COMMAND.connect],
  ['STOMP', COMMAND.connect],
  ['DISCONNECT', COMMAND.disconnect],
  ['CONNECTED', COMMAND.server],
  ['MESSAGE', COMMAND.server],
  ['RECEIPT', COMMAND.server],
  ['ERROR', COMMAND.server],
]);

/** Bytes of the longest command. */
export const LONGEST_COMMAND = 'UNSUBSCRIBE'.length;

const SEND = Buffer.from('SEND');
const ACK = Buffer.from('ACK');

export function commandAt(buffer: Buffer, start: number, end: number): Command {
  // Nearly every frame is one of these; no string is made for them.
  if (end - start === 4 && equal(SEND, buffer, start)) return COMMAND.send;
  if (end - start === 3 && equal(ACK, buffer, start)) return COMMAND.ack;
  return COMMANDS.get(buffer.toString('latin1', start, end)) ?? COMMAND.unknown;
}

/** Headers that the hot frames are asked for; others are found by name (`Frame.find`). Ids are bit numbers. */
export const HEADER = {
  destination: 0,
  contentLength: 1,
  contentType: 2,
  receipt: 3,
  transaction: 4,
  persistent: 5,
  retain: 6,
  expires: 7,
  expiration: 8,
  replyTo: 9,
  correlationId: 10,
  messageId: 11,
  amqpMessageId: 12,
  id: 13,
  subscription: 14,
  ack: 15,
  priority: 16,
  delay: 17,
  deliverAt: 18,
  key: 19,
} as const;

export type HeaderId = (typeof HEADER)[keyof typeof HEADER];

export const HEADER_NAMES: readonly string[] = [
  'destination',
  'content-length',
  'content-type',
  'receipt',
  'transaction',
  'persistent',
  'retain',
  'expires',
  'expiration',
  'reply-to',
  'correlation-id',
  'message-id',
  'amqp-message-id',
  'id',
  'subscription',
  'ack',
  'priority',
  'delay',
  'deliver-at',
  'key',
];

/** Headers that MESSAGE alone has, beside those. */
export const MESSAGE_NAMES: readonly string[] = ['redelivered', 'delivery-count', 'position', 'browser'];

/**
 * Headers of the frames that come seldom. Of several names, those of other brokers among them, the first that is there
 * counts.
 */
export const NAMES = {
  // SUBSCRIBE, and UNSUBSCRIBE of what is durable
  selector: ['selector'],
  browser: ['browser'],
  prefetch: ['prefetch', 'prefetch-count', 'activemq.prefetchSize'],
  consumerPriority: ['consumer-priority', 'activemq.priority', 'x-priority'],
  exclusive: ['exclusive'],
  locksOut: ['activemq.exclusive'],
  noLocal: ['no-local', 'activemq.noLocal'],
  durable: ['durable', 'persistent'],
  autoDelete: ['auto-delete'],
  // The second is ActiveMQ 4's own misspelling, which clients go on sending, with the right one or alone.
  subscriptionName: ['activemq.subscriptionName', 'activemq.subcriptionName'],
  queueName: ['x-queue-name'],
  start: ['start'],
  positions: ['positions'],
  group: ['group'],
  groupOrder: ['group-order'],
  // NACK
  requeue: ['requeue'],
  delay: ['delay'],
} as const;

interface Known {
  readonly id: number;
  readonly bytes: Uint8Array;
}

const BY_LENGTH: readonly (readonly Known[])[] = Array.from({ length: 16 }, (_, length) =>
  HEADER_NAMES.flatMap((name, id) => (name.length === length ? [{ id, bytes: Buffer.from(name) }] : [])),
);

/** The id of the header name `buffer[start, end)`, or -1. */
export function headerAt(buffer: Buffer, start: number, end: number): number {
  const candidates = BY_LENGTH[end - start];
  if (candidates === undefined) return -1;
  for (let i = 0; i < candidates.length; i++) {
    const known = candidates[i];
    if (known !== undefined && equal(known.bytes, buffer, start)) return known.id;
  }
  return -1;
}

/** Whether `bytes` stand in `buffer` at `start`. */
export function equal(bytes: Uint8Array, buffer: Buffer, start: number): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== buffer[start + i]) return false;
  return true;
}
