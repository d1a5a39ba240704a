/** What happened since the start, as plain numbers: cheap to count, read by metrics and tests. */
export class Counters {
  connections = 0;
  connectionsTotal = 0;
  connectionsRefused = 0;
  /** Messages taken from clients, and written to them. */
  received = 0;
  delivered = 0;
  /** QoS 0 messages not written because the subscriber did not read fast enough. */
  droppedSlow = 0;
  /** Logged messages that retention removed before a subscriber got to them. */
  droppedOvertaken = 0;
  /** Messages whose expiry came before a subscriber could have them. */
  droppedExpired = 0;
  /** Messages larger than the client takes (MQTT 5 Maximum Packet Size). */
  droppedTooLarge = 0;
  /** Headers that the receiver's protocol version cannot express. */
  droppedHeaders = 0;
  /** Retained messages not kept because the limits were reached. */
  droppedRetained = 0;
  /** Messages that a queue refused, and those it threw away: full, rejected, or delivered too often. */
  droppedQueue = 0;
  /** Messages that went to the dead-letter queue of theirs. */
  deadLettered = 0;
  /** Messages refused because of their topic or for want of a right. */
  droppedRefused = 0;
  /** Answers to requests that were over, or that no one had asked. */
  droppedReplies = 0;
  /** Wills and sessions not kept because the limits were reached. */
  droppedSessions = 0;
}
