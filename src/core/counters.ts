/** What happened since the start, as plain numbers: cheap to count, read by metrics and tests. */
export class Counters {
  connections = 0;
  connectionsTotal = 0;
  connectionsRefused = 0;
  /** Logins that were asked for (CONNECT, hello), clients that are logged in, and the most of them at one time. */
  logins = 0;
  clients = 0;
  clientsMaximum = 0;
  /** On all connections; WebSocket handshakes, and control frames of ours, are not counted. */
  bytesReceived = 0;
  bytesSent = 0;
  /** Whole packets and frames of any kind, and messages of the JSON protocol. Those sent: STOMP heart-beats, too. */
  packetsReceived = 0;
  packetsSent = 0;
  /** Messages taken from clients, and written to them; and bytes of their payloads. */
  received = 0;
  receivedBytes = 0;
  delivered = 0;
  deliveredBytes = 0;
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
  /** Times that consumers with selectors had passed over as many messages of a queue as are allowed. */
  passedFull = 0;
  /** Messages that went to the dead-letter queue of theirs. */
  deadLettered = 0;
  /** Messages refused because of their topic or for want of a right; or not taken in, and nobody asked for it. */
  droppedRefused = 0;
  /** Answers to requests that were over, or that no one had asked. */
  droppedReplies = 0;
  /** Wills and sessions not kept because the limits were reached. */
  droppedSessions = 0;
  /** Sessions that were kept without a connection until their time was over. */
  sessionsExpired = 0;

  loggedIn(): void {
    this.clients++;
    if (this.clients > this.clientsMaximum) this.clientsMaximum = this.clients;
  }

  loggedOut(): void {
    this.clients--;
  }

  /** Messages that did not get to someone who was to have them, for want of room: with a client, in the log, in a queue. */
  get droppedForRoom(): number {
    return this.droppedSlow + this.droppedOvertaken + this.droppedTooLarge + this.droppedQueue;
  }
}
