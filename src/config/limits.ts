import type { Limits } from '../ports/limits.ts';
import { integer } from './leaves.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const TIB = MIB * MIB;
/** Largest MQTT packet there is: its length has 28 bits. */
const MQTT_PACKET = 268_435_455;
/** Largest number MQTT says in two bytes, and in four. */
const TWO_BYTES = 65_535;
const FOUR_BYTES = 4_294_967_295;
const DAY = 86_400;

type LimitLeaf = ReturnType<typeof integer>;

/** Exactly the keys of `Limits`: a key that is missing here, or that nothing reads, does not compile. */
export const limits = {
  connections: integer(100_000, 1, 10_000_000, 'connections', 'Open connections in all; more are refused.'),
  connectionsPerAddress: integer(100_000, 1, 10_000_000, 'connections', 'Open connections from one address.'),
  loginSeconds: integer(10, 1, 600, 'seconds', 'Time from the connection to the end of its login.'),
  loginPacketBytes: integer(64 * KIB, 256, MQTT_PACKET, 'bytes', 'One packet or frame before the login is accepted.'),
  packetBytes: integer(
    MIB,
    KIB,
    MQTT_PACKET,
    'bytes',
    'One packet or frame after login, payload and headers together. MQTT 5 clients are told (Maximum Packet Size).',
  ),
  outputBytes: integer(
    MIB,
    4 * KIB,
    1024 * MIB,
    'bytes',
    'What may wait to be written to one connection. Beyond it QoS 0 messages are dropped (and counted), others wait.',
  ),
  slowReaderSeconds: integer(
    15,
    1,
    3600,
    'seconds',
    'How long output may wait without any of it being read before the connection is closed.',
  ),
  clientIdBytes: integer(KIB, 23, TWO_BYTES, 'bytes', 'A client identifier.'),
  keepAliveSeconds: integer(
    600,
    1,
    TWO_BYTES,
    'seconds',
    'Longest MQTT keep alive. Clients that ask for more, or for none, get this one.',
  ),
  subscriptionsPerSession: integer(1000, 1, 1_000_000, 'subscriptions', 'Subscriptions of one client.'),
  inflightOut: integer(256, 1, TWO_BYTES, 'messages', 'Messages of QoS 1 and 2 sent to one client, unacknowledged.'),
  inflightIn: integer(
    100,
    1,
    TWO_BYTES,
    'messages',
    'Messages of QoS 2 from one client that it has not released. MQTT 5 clients are told (Receive Maximum).',
  ),
  outboxMessages: integer(
    1000,
    1,
    1_000_000,
    'messages',
    'Messages held in memory for one client whose window is closed; more are read from the log later.',
  ),
  publishBacklog: integer(
    10_000,
    1,
    1_000_000,
    'messages',
    'Messages of one connection that wait to become durable. Beyond it the connection is not read from.',
  ),
  detachedSessions: integer(100_000, 0, 10_000_000, 'sessions', 'Sessions kept while their client is away.'),
  sessionExpirySeconds: integer(
    7 * DAY,
    0,
    FOUR_BYTES,
    'seconds',
    `Longest time a session is kept while its client is away. ${FOUR_BYTES} sets no bound.`,
  ),
  userProperties: integer(64, 0, TWO_BYTES, 'properties', 'User properties (headers) of one message.'),
  userPropertyBytes: integer(16 * KIB, 0, 16 * MIB, 'bytes', 'User properties of one message, names and values.'),
  topicAliases: integer(16, 0, TWO_BYTES, 'aliases', 'MQTT 5 topic aliases a client may use; 0 for none.'),
  topicBytes: integer(KIB, 16, TWO_BYTES, 'bytes', 'A topic name or filter, in UTF-8.'),
  topicLevels: integer(128, 1, 1024, 'levels', 'Levels of a topic name or filter.'),
  retainedMessages: integer(100_000, 0, 100_000_000, 'messages', 'Retained messages; further topics get none.'),
  retainedBytes: integer(256 * MIB, 0, TIB, 'bytes', 'Retained messages together.'),
  queues: integer(10_000, 0, 10_000_000, 'queues', 'Queues.'),
  queueMessages: integer(100_000, 1, 100_000_000, 'messages', 'Messages in one queue; more are refused.'),
  queueBytes: integer(256 * MIB, KIB, TIB, 'bytes', 'Messages in one queue together.'),
  stompHeaders: integer(64, 8, 10_000, 'headers', 'Header lines of a STOMP frame.'),
  stompHeaderBytes: integer(8 * KIB, 128, MIB, 'bytes', 'One header line of a STOMP frame.'),
  stompPrefetch: integer(
    100,
    1,
    TWO_BYTES,
    'messages',
    'Unacknowledged messages of a STOMP consumer that names no prefetch-count.',
  ),
  transactions: integer(16, 0, TWO_BYTES, 'transactions', 'Open STOMP transactions of one connection.'),
  transactionActions: integer(1024, 1, 1_000_000, 'frames', 'Frames in one STOMP transaction.'),
  transactionBytes: integer(16 * MIB, KIB, 1024 * MIB, 'bytes', 'Frames in one STOMP transaction together.'),
  heartBeatMilliseconds: integer(
    100,
    1,
    60_000,
    'milliseconds',
    'Shortest STOMP heart-beat interval agreed to. Clients that ask for less get this one.',
  ),
  webSocketFragments: integer(1024, 1, 1_048_576, 'fragments', 'Fragments of one WebSocket message.'),
} as const satisfies Record<keyof Limits, LimitLeaf>;
