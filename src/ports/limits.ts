import type { TopicLimits } from '../core/topic.ts';

/**
 * Every bound of the broker. The configuration's section `limits` has exactly these keys, with their defaults and docs;
 * sizes are in bytes, times in seconds, unless the name says otherwise.
 */
export interface Limits extends TopicLimits {
  /** Open connections in all, and from one address. */
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** From the connection to the end of its login. */
  readonly loginSeconds: number;
  /** Logins whose password is being checked at the same time, and that wait for it. */
  readonly passwordChecks: number;
  readonly passwordChecksWaiting: number;
  /** One packet or frame, before login and after. */
  readonly loginPacketBytes: number;
  readonly packetBytes: number;
  /** What may wait to be written to one connection, and how long it may do so without any of it being read. */
  readonly outputBytes: number;
  readonly slowReaderSeconds: number;
  readonly clientIdBytes: number;
  /** Longest keep alive a client gets (MQTT 5 is told, earlier versions are held to it). */
  readonly keepAliveSeconds: number;
  readonly subscriptionsPerSession: number;
  /** Unacknowledged messages to one client, and QoS 2 messages from one client that it has not released. */
  readonly inflightOut: number;
  readonly inflightIn: number;
  /** Messages held in memory for one client whose window is closed; more are read from the log later. */
  readonly outboxMessages: number;
  readonly outboxBytes: number;
  /** Logged messages of one connection that wait to become durable; then it is not read from. */
  readonly publishBacklog: number;
  /** Sessions without a connection, and how long they may live. */
  readonly detachedSessions: number;
  readonly sessionExpirySeconds: number;
  readonly userProperties: number;
  readonly userPropertyBytes: number;
  /** MQTT 5: topic aliases of one connection, set by the client and set by the server. */
  readonly topicAliases: number;
  readonly topicAliasesOut: number;
  readonly retainedMessages: number;
  readonly retainedBytes: number;
  readonly queues: number;
  readonly queueMessages: number;
  readonly queueBytes: number;
  /** Bindings of one queue, and bytes of them together. */
  readonly queueBindings: number;
  readonly queueBindingBytes: number;
  /** Of one queue or group, what waits in memory to be given; and what one consumer has unsettled. With properties. */
  readonly queueMemoryBytes: number;
  readonly consumerBytes: number;
  /** Of one queue or group, what waits for others of its key or for another try. */
  readonly heldMessages: number;
  /** Of one queue, what consumers with selectors have passed over. */
  readonly passedMessages: number;
  /** Of one group, what is with members or came back. */
  readonly groupMessages: number;
  /** Of messages for queues, on their way to other nodes of the cluster. */
  readonly peerBytes: number;
  /** Queues in a row from which a message is dead-lettered because it expired; then it is dropped. */
  readonly deadLetterHops: number;
  /** Subscriptions of one session or connection with a place of their own in the log. */
  readonly replays: number;
  /** STOMP: header lines of a frame, bytes of one of them; unacknowledged messages a consumer gets when it names no prefetch. */
  readonly stompHeaders: number;
  readonly stompHeaderBytes: number;
  readonly stompPrefetch: number;
  /** STOMP: destinations of one frame, with commas between them. */
  readonly compositeDestinations: number;
  /** STOMP: open transactions of a connection, frames in one of them and their bytes together. */
  readonly transactions: number;
  readonly transactionActions: number;
  readonly transactionBytes: number;
  /** STOMP: the shortest heart-beat interval agreed to, milliseconds. */
  readonly heartBeatMilliseconds: number;
  /** Message selectors: the length of one, of all of a session or connection, and parentheses within parentheses in one. */
  readonly selectorBytes: number;
  readonly sessionSelectorBytes: number;
  readonly selectorDepth: number;
  /** Open requests of one JSON client. */
  readonly requests: number;
  /** WebSocket messages: their fragments. */
  readonly webSocketFragments: number;
}
