import { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import { QUEUE_PREFIX } from '../../src/core/topic.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type { Backlog, Services } from '../../src/ports/routing.ts';
import { AnswerTurns } from './answer-turns.ts';
import type { Version } from './packets.ts';
import { REASON } from './reasons.ts';
import type { Served } from './served.ts';
import type { MqttSession } from './session.ts';

/** In `appended` and `refused`, the packet identifier of a QoS 2 message has this bit, and that of one for a queue that. */
const EXACTLY_ONCE = 0x10000;
const FOR_QUEUE = 0x20000;

/** How a message's fate is told to the client: PUBACK (`qos` 1) or PUBREC. */
export interface Answers {
  /** `reason`: below 0x80. `duplicate`: it was there before, by the id that its publisher gave it. */
  taken(qos: 1 | 2, packetId: number, reason: number, duplicate: boolean): void;
  refused(qos: 1 | 2, packetId: number, error: BrokerError): void;
}

/** QoS 2 messages that a chunk brought, and the write that remembers their identifiers. */
interface Batch {
  readonly messages: { readonly message: Message; readonly token: number }[];
  /** Those whose PUBREC waits for that write. */
  waiting: { readonly token: number; readonly reason: number; readonly duplicate: boolean }[];
  written: boolean;
}

/**
 * Messages of QoS 1 and 2 of one connection on their way to the log: at most a window of them, and when they are too many
 * or the log is behind, the client is not read from.
 */
export class Intake implements AppendReceiver {
  readonly #services: Services;
  readonly #session: MqttSession;
  readonly #version: Version;
  readonly #answers: Answers;
  readonly #backlog: Backlog;
  /** Of PUBACK and of PUBREC. */
  readonly #pubacks = new AnswerTurns();
  readonly #pubrecs = new AnswerTurns();
  #batch: Batch | undefined;
  /** By packet identifier, until written: only where a state and a message are not written as one. */
  #unwritten: Map<number, Batch> | undefined;

  constructor({ services, session, connection, version }: Served, answers: Answers) {
    this.#services = services;
    this.#session = session;
    this.#backlog = services.backlog(connection);
    this.#version = version;
    this.#answers = answers;
  }

  /**
   * [MQTT-3.3.4-7]: not more unacknowledged messages than our Receive Maximum; before MQTT 5, than our bound. What is left
   * of earlier connections does not count, as far as that is no more than another window: else it would have no bound.
   */
  checkWindow(qos: 1 | 2): void {
    const limit = this.#services.limits.inflightIn;
    const { inbound } = this.#session;
    const exactlyOnce = inbound.size - Math.min(inbound.carried, limit);
    // Those of QoS 2 that are being stored are in both.
    const storing = this.#backlog.size - inbound.storing;
    const used = this.#version === 5 ? storing + exactlyOnce : qos === 2 ? exactlyOnce : 0;
    if (used >= limit) {
      throw new BrokerError('windowExceeded', `more than ${limit} unacknowledged messages (limits.inflightIn)`);
    }
  }

  /** Whether its PUBREC is yet to go. */
  unanswered(packetId: number): boolean {
    return this.#session.inbound.state(packetId) === 'storing' || (this.#unwritten?.has(packetId) ?? false);
  }

  publish(message: Message, packetId: number, forQueue: boolean): void {
    this.#backlog.add();
    if (!forQueue) (message.qos === 1 ? this.#pubacks : this.#pubrecs).asked();
    if (message.qos === 1) {
      const token = forQueue ? packetId | FOR_QUEUE : packetId;
      // It must not overtake what waits for the end of the chunk.
      if (this.#batch !== undefined) this.#batch.messages.push({ message: message.keep(), token });
      else this.#services.router.publish(message, this, token);
    } else {
      this.#publishOnce(message, packetId, forQueue);
    }
  }

  #publishOnce(message: Message, packetId: number, forQueue: boolean): void {
    const session = this.#session;
    const token = packetId | EXACTLY_ONCE | (forQueue ? FOR_QUEUE : 0);
    if (session.inbound.state(packetId) === undefined) session.inbound.add(packetId, 'storing', forQueue);
    else session.inbound.set(packetId, 'storing');
    if (!session.durable) {
      this.#services.router.publish(message, this, token);
      return;
    }
    message.keep();
    message.dedupId = session.dedupId(packetId);
    this.#batch ??= { messages: [], waiting: [], written: false };
    this.#batch.messages.push({ message, token });
  }

  /**
   * Runs `write`, the answer to a message that goes nowhere, when earlier ones have theirs. Until then that message is one of
   * those under way: else a client could make any number of answers wait for a log that stands still.
   */
  inTurn(qos: 1 | 2, write: () => void): void {
    const turns = qos === 1 ? this.#pubacks : this.#pubrecs;
    if (turns.idle) {
      write();
      return;
    }
    this.#backlog.add();
    turns.hold(() => {
      write();
      this.#backlog.remove();
    });
  }

  /**
   * The end of a chunk: its QoS 2 messages go to the log. Their identifiers are written before, so that a client that
   * never gets its PUBREC is recognised when it comes back.
   */
  flush(): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    this.#batch = undefined;
    const written = this.#session.put();
    if (!this.#session.atomic) {
      this.#unwritten ??= new Map();
      for (const { token } of batch.messages) {
        if ((token & EXACTLY_ONCE) !== 0) this.#unwritten.set(token & 0xffff, batch);
      }
      void written.then(() => this.#written(batch));
    }
    for (const { message, token } of batch.messages) this.#services.router.publish(message, this, token);
  }

  #written(batch: Batch): void {
    batch.written = true;
    for (const { token } of batch.messages) {
      if (this.#unwritten?.get(token & 0xffff) === batch) this.#unwritten.delete(token & 0xffff);
    }
    for (const { token, reason, duplicate } of batch.waiting) this.#stored(token, reason, duplicate);
  }

  appended(token: number, message: Message, repeated?: boolean): void {
    const packetId = token & 0xffff;
    const duplicate = repeated === true && isIdentified(message);
    const reason = this.#reason(message);
    if ((token & EXACTLY_ONCE) === 0) {
      this.#answers.taken(1, packetId, reason, duplicate);
      if ((token & FOR_QUEUE) === 0) this.#pubacks.answered();
    } else {
      this.#session.inbound.set(packetId, 'stored');
      const batch = this.#unwritten?.get(packetId);
      if (batch === undefined) this.#stored(token, reason, duplicate);
      else batch.waiting.push({ token, reason, duplicate });
      this.#session.stored();
    }
    this.#backlog.remove();
  }

  #stored(token: number, reason: number, duplicate: boolean): void {
    this.#answers.taken(2, token & 0xffff, reason, duplicate);
    if ((token & FOR_QUEUE) === 0) this.#pubrecs.answered();
  }

  /** A message with subscribers costs no more than the first comparison. */
  #reason(message: Message): number {
    return message.fanout === 0 && this.#version === 5 && this.#services.unmatched(message)
      ? REASON.noMatchingSubscribers
      : REASON.success;
  }

  refused(token: number, error: BrokerError): void {
    const packetId = token & 0xffff;
    const forQueue = (token & FOR_QUEUE) !== 0;
    if ((token & EXACTLY_ONCE) === 0) {
      this.#answers.refused(1, packetId, error);
      if (!forQueue) this.#pubacks.answered();
    } else {
      this.#session.inbound.delete(packetId);
      this.#answers.refused(2, packetId, error);
      if (!forQueue) this.#pubrecs.answered();
      this.#session.stored();
    }
    this.#backlog.remove();
  }
}

/** Its publisher wants to be told of its repetition. */
function isIdentified({ topic, properties }: Message): boolean {
  return properties?.messageId !== undefined && topic.startsWith(QUEUE_PREFIX);
}
