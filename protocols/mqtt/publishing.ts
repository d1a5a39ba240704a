import { BrokerError } from '../../src/core/errors.ts';
import { Message } from '../../src/core/message.ts';
import { QUEUE_PREFIX, reservedFault } from '../../src/core/topic.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import { mayBeAnswered } from '../../src/ports/rights.ts';
import { TopicAliases } from './aliases.ts';
import { explain } from './answers.ts';
import { checkFlags, payloadFault } from './capabilities.ts';
import { type Property, writeAcknowledgement } from './encoder.ts';
import { type Answers, Intake } from './intake.ts';
import { queueFault, toProperties } from './mapping.ts';
import { type PublishPacket, TYPE } from './packets.ts';
import { REASON, reasonIn } from './reasons.ts';
import type { Served } from './served.ts';
import type { MqttSession } from './session.ts';

/** Of a message that was there before, by the id that its publisher gave it. */
const DUPLICATE: readonly Property[] = [[0x26, ['duplicate', 'true']]];
/** An acknowledgement with it. */
const DUPLICATE_BYTES = 24;

/** Of live messages no one hears again. */
const NOBODY: AppendReceiver = { appended() {}, refused() {} };

/** PUBLISH from one client, and what it is told of each. */
export class Publishing implements Answers {
  readonly #served: Served;
  readonly #session: MqttSession;
  #aliases: TopicAliases | undefined;
  #intake: Intake | undefined;
  /** Packet identifiers whose PUBREL came before their PUBREC went: clients may write both at once. */
  #released: Set<number> | undefined;

  constructor(served: Served) {
    this.#served = served;
    this.#session = served.session;
  }

  /** `now`: when it came, milliseconds since 1970. */
  publish(packet: PublishPacket, now: number): void {
    const { services, login, capabilities } = this.#served;
    checkFlags(packet.qos, packet.retain, capabilities);
    const topic =
      packet.properties?.topicAlias === undefined && packet.topic !== '' ? packet.topic : this.#aliased(packet);
    if (packet.qos === 2 && this.#repeated(packet.packetId)) return;
    if (packet.qos > 0) {
      this.#intake ??= new Intake(this.#served, this);
      this.#intake.checkWindow(packet.qos === 1 ? 1 : 2);
    }
    const reserved = topic.charCodeAt(0) === 0x24;
    const refusal =
      this.#fault(topic) ??
      (reserved ? this.#reservedFault(topic, packet) : undefined) ??
      (capabilities.validatePayloadFormat ? payloadFault(packet) : undefined);
    if (refusal !== undefined) {
      this.#refuse(packet, refusal);
      return;
    }
    const forQueue = reserved && topic.startsWith(QUEUE_PREFIX);
    const properties =
      packet.properties === undefined ? undefined : toProperties(packet.properties, now, services.limits, forQueue);
    const responseTopic = properties?.responseTopic;
    if (responseTopic !== undefined && !mayBeAnswered(services.authorizer, login.principal, responseTopic)) {
      const detail = `not allowed to have answers sent to the Response Topic ${responseTopic}`;
      this.#refuse(packet, new BrokerError('notAuthorized', detail));
      return;
    }
    const { data, start, end, qos, retain } = packet;
    const message = new Message(
      topic,
      data,
      start,
      end,
      qos,
      retain && !forQueue,
      properties,
      this.#session.publisher,
      now,
    );
    if (qos === 0) services.router.publish(message, NOBODY, 0);
    else this.#intake?.publish(message, packet.packetId, forQueue);
  }

  /** The end of a chunk. */
  flush(): void {
    this.#intake?.flush();
  }

  /** A PUBLISH of QoS 2 with an identifier that is not released: the same message again [MQTT-4.3.3-10]. */
  #repeated(packetId: number): boolean {
    const { connection, version } = this.#served;
    const state = this.#session.inbound.state(packetId);
    if (state === 'stored')
      this.#inTurn(2, () => writeAcknowledgement(connection, TYPE.pubrec, version, packetId, REASON.success));
    return state === 'stored' || state === 'storing';
  }

  #aliased(packet: PublishPacket): string {
    this.#aliases ??= new TopicAliases(this.#served.services.limits.topicAliases);
    return this.#aliases.resolve(packet.properties?.topicAlias, packet.topic);
  }

  #fault(topic: string): BrokerError | undefined {
    const { services, login } = this.#served;
    return services.authorizer.mayPublish(login.principal, topic)
      ? undefined
      : new BrokerError('notAuthorized', `not allowed to publish to ${topic}`);
  }

  /** Of topics that begin with `$`. */
  #reservedFault(topic: string, packet: PublishPacket): BrokerError | undefined {
    const fault = reservedFault(topic);
    if (fault !== undefined) return new BrokerError('notAuthorized', `the topic ${topic} ${fault}`);
    if (!topic.startsWith(QUEUE_PREFIX)) return undefined;
    // Earlier clients could not be told; their message is in the queue all the same.
    if (packet.retain && this.#served.version === 5)
      return new BrokerError('unsupported', 'RETAIN is 1; messages of a queue are not retained, 0 is expected');
    return packet.properties?.user && queueFault(packet.properties.user);
  }

  /** Not taken: MQTT 5 clients are told; earlier ones can only be acknowledged or cut off (3.1.1, 3.3.5.2). */
  #refuse({ qos, packetId }: PublishPacket, error: BrokerError): void {
    const { connection, login, services, version } = this.#served;
    services.counters.droppedRefused++;
    services.logger.warn({ clientId: this.#session.clientId, reason: error.message }, 'a message was refused');
    if (qos === 0) return;
    const type = qos === 1 ? TYPE.puback : TYPE.pubrec;
    const reason = version === 5 ? reasonIn('publish', error.code) : REASON.success;
    // Before MQTT 5 the QoS 2 exchange goes on to its end.
    if (qos === 2 && version < 5) this.#session.inbound.add(packetId, 'stored');
    const properties = explain(version, login, error.message);
    this.#inTurn(qos, () => writeAcknowledgement(connection, type, version, packetId, reason, properties));
  }

  /** An answer that is known at once: behind those that earlier messages still wait for [MQTT-4.6.0-2] [MQTT-4.6.0-3]. */
  #inTurn(qos: 1 | 2, write: () => void): void {
    if (this.#intake === undefined) write();
    else
      this.#intake.inTurn(qos, () => {
        if (!this.#served.over) write();
      });
  }

  taken(qos: 1 | 2, packetId: number, reason: number, duplicate: boolean): void {
    const { connection, login, over, version } = this.#served;
    if (over) return;
    const type = qos === 1 ? TYPE.puback : TYPE.pubrec;
    // [MQTT-3.1.2-29] [MQTT-3.4.2-3]
    if (duplicate && version === 5 && login.problemInformation && login.maximumPacketSize >= DUPLICATE_BYTES) {
      writeAcknowledgement(connection, type, version, packetId, reason, DUPLICATE);
    } else {
      writeAcknowledgement(connection, type, version, packetId, reason);
    }
    if (qos === 2) this.#answered(packetId);
  }

  refused(qos: 1 | 2, packetId: number, error: BrokerError): void {
    const { connection, login, over, version } = this.#served;
    if (over) return;
    if (version < 5) {
      // There is no negative answer: cut off, the client keeps the message and sends it again.
      this.#served.failed(error);
      return;
    }
    const type = qos === 1 ? TYPE.puback : TYPE.pubrec;
    const reason = reasonIn('publish', error.code);
    writeAcknowledgement(connection, type, 5, packetId, reason, explain(version, login, error.message));
    if (qos === 2) this.#answered(packetId);
  }

  /** PUBREC has gone. */
  #answered(packetId: number): void {
    if (this.#released?.delete(packetId)) this.pubrel(packetId);
  }

  pubrel(packetId: number): void {
    if (this.#intake?.unanswered(packetId)) {
      this.#released ??= new Set();
      this.#released.add(packetId);
      return;
    }
    const served = this.#served;
    const { connection, version } = served;
    const session = this.#session;
    if (!session.inbound.delete(packetId)) {
      writeAcknowledgement(connection, TYPE.pubcomp, version, packetId, REASON.packetIdentifierNotFound);
      return;
    }
    // The identifier may stand for another message after PUBCOMP: that this one is done must not be forgotten.
    session.saved(() => {
      if (!served.over) writeAcknowledgement(connection, TYPE.pubcomp, version, packetId, REASON.success);
    });
  }
}
