import { BrokerError } from '../../src/core/errors.ts';
import { Message } from '../../src/core/message.ts';
import { reservedFault } from '../../src/core/topic.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type { Channel } from '../../src/ports/protocol.ts';
import type { Place } from '../../src/ports/routing.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { TopicAliases } from './aliases.ts';
import { UnknownVersion } from './connect.ts';
import { Decoder } from './decoder.ts';
import {
  reasonString,
  writeAcknowledgement,
  writeCodes,
  writeConnack,
  writeDisconnect,
  writePingresp,
} from './encoder.ts';
import { type Answers, Intake } from './intake.ts';
import { Link } from './link.ts';
import { type Login, login } from './login.ts';
import { toProperties } from './mapping.ts';
import {
  type ConnectPacket,
  type PacketHandler,
  type PacketProperties,
  type PublishPacket,
  type SubscribePacket,
  TYPE,
  type UnsubscribePacket,
  type Version,
} from './packets.ts';
import { CONNACK_V3, FAULT_REASON, REASON, SUBACK_FAILURE_V3 } from './reasons.ts';
import type { MqttServer } from './server.ts';
import { type Holder, MqttSession } from './session.ts';
import { isShared } from './shared.ts';
import { subscribeFault } from './subscribe.ts';

/** Of live messages no one hears again. */
const NOBODY: AppendReceiver = { appended() {}, refused() {} };

/** The will of an MQTT 5 client that disconnects so (3.14.2.1). */
const DISCONNECT_WITH_WILL = 0x04;

/**
 * One connection of an MQTT client: waits for CONNECT (`#session` undefined), then serves packets until either side
 * ends it (`#over`).
 */
export class MqttChannel implements Channel, PacketHandler, Answers, Holder {
  readonly #server: MqttServer;
  readonly #connection: Connection;
  readonly #decoder: Decoder;
  /** When bytes last came; before CONNECT, when the connection was made. Milliseconds since 1970. */
  #heardAt: number;
  #version: Version = 4;
  #session: MqttSession | undefined;
  #login: Login | undefined;
  #aliases: TopicAliases | undefined;
  #over = false;
  #intake: Intake | undefined;

  constructor(server: MqttServer, connection: Connection) {
    this.#server = server;
    this.#connection = connection;
    this.#heardAt = server.services.clock.now();
    this.#decoder = new Decoder(this, server.services.limits, server.topics);
  }

  // --- from the transport -------------------------------------------------------------------------------------------

  receive(chunk: Buffer, now: number): void {
    if (this.#over) return;
    if (this.#login !== undefined) this.#heardAt = now;
    this.#decode(() => this.#decoder.push(chunk));
  }

  #decode(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      this.#fail(error);
    }
    this.#intake?.flush();
  }

  drained(): void {
    this.#session?.drained();
  }

  tick(now: number): void {
    if (this.#over) return;
    const limits = this.#server.services.limits;
    if (this.#login === undefined || this.#session === undefined) {
      if (now - this.#heardAt > limits.loginSeconds * 1000) this.#end('no CONNECT in time (limits.loginSeconds)');
      return;
    }
    // [MQTT-3.1.2-22]: one and a half times the keep alive.
    const silence = this.#login.keepAlive * 1500;
    if (silence > 0 && now - this.#heardAt > silence)
      this.#fail(new BrokerError('timeout', 'nothing was heard for 1.5 times the keep alive'));
  }

  closed(): void {
    this.#over = true;
    this.#decoder.stop();
    this.#release(true);
  }

  shutdown(code: 'shutdown' | 'slowReader' | 'tooLarge' | 'malformed' | 'internal'): void {
    this.#fail(new BrokerError(code));
  }

  /** Another connection has this client identifier now; the session is its. */
  takenOver(): void {
    this.#fail(new BrokerError('takenOver'));
    this.#release(true);
  }

  // --- CONNECT ------------------------------------------------------------------------------------------------------

  connect(packet: ConnectPacket): void {
    if (this.#login !== undefined) throw new BrokerError('protocol', 'a second CONNECT [MQTT-3.1.0-2]');
    this.#version = packet.version;
    const accepted = login(packet, this.#connection.peer, this.#server);
    this.#login = accepted;
    // Packets may follow CONNECT at once (3.1.4.2); they wait for the session, which is asked for.
    this.#decoder.hold();
    this.#connection.pause();
    const { services } = this.#server;
    const session = new MqttSession(accepted.clientId, accepted.sessionExpiry, services, this);
    this.#server.open(accepted, session).then(
      (place) => this.#admit(accepted, session, place),
      (error: unknown) => {
        const known = error instanceof BrokerError;
        if (!known) services.logger.error({ err: error, clientId: accepted.clientId }, 'a session could not be opened');
        this.#login = undefined;
        this.#fail(known ? error : new BrokerError('internal'));
      },
    );
  }

  #admit(accepted: Login, session: MqttSession, place: Place): void {
    let present = place.kept !== undefined;
    try {
      session.restore(place);
    } catch (error) {
      const { logger } = this.#server.services;
      present = false;
      logger.error({ err: error, clientId: accepted.clientId }, 'a stored session cannot be read; it begins anew');
    }
    if (this.#over) {
      session.leave(present ? accepted.sessionExpiry : 0);
      return;
    }
    this.#session = session;
    this.#decoder.admit();
    writeConnack(this.#connection, this.#version, present, REASON.success, accepted.properties);
    this.#server.arm(accepted);
    const { window, maximumPacketSize } = accepted;
    const { clock, counters } = this.#server.services;
    const terms = { version: this.#version, window, maximumPacketSize };
    session.attach(new Link(this.#connection, terms, clock, counters));
    this.#connection.resume();
    this.#decode(() => this.#decoder.proceed());
  }

  // --- messages from the client -------------------------------------------------------------------------------------

  publish(packet: PublishPacket): void {
    const session = this.#connected();
    const { services } = this.#server;
    const topic =
      packet.properties?.topicAlias === undefined && packet.topic !== '' ? packet.topic : this.#aliased(packet);
    if (packet.qos === 2 && this.#repeated(session, packet.packetId)) return;
    if (packet.qos > 0) {
      this.#intake ??= new Intake(services, session, this.#connection, this.#version, this);
      this.#intake.checkWindow(packet.qos === 1 ? 1 : 2);
    }
    const refusal = this.#publishFault(topic);
    if (refusal !== undefined) {
      this.#refusePublish(packet, refusal);
      return;
    }
    const now = this.#heardAt;
    const properties =
      packet.properties === undefined ? undefined : toProperties(packet.properties, now, services.limits);
    const { data, start, end, qos, retain } = packet;
    const message = new Message(topic, data, start, end, qos, retain, properties, session.publisher, now);
    if (qos === 0) services.router.publish(message, NOBODY, 0);
    else this.#intake?.publish(message, packet.packetId);
  }

  /** A PUBLISH of QoS 2 with an identifier that is not released: the same message again [MQTT-4.3.3-10]. */
  #repeated(session: MqttSession, packetId: number): boolean {
    const state = session.inbound.state(packetId);
    if (state === 'stored') writeAcknowledgement(this.#connection, TYPE.pubrec, this.#version, packetId, 0);
    return state === 'stored' || state === 'storing';
  }

  #publishFault(topic: string): BrokerError | undefined {
    if (topic.charCodeAt(0) === 0x24) {
      const fault = reservedFault(topic);
      if (fault !== undefined) return new BrokerError('notAuthorized', `the topic ${topic} ${fault}`);
    }
    const principal = this.#login?.principal;
    if (principal === undefined || !this.#server.services.authorizer.mayPublish(principal, topic)) {
      return new BrokerError('notAuthorized', `not allowed to publish to ${topic}`);
    }
    return undefined;
  }

  /** Not taken: MQTT 5 clients are told; earlier ones can only be acknowledged or cut off (3.1.1, 3.3.5.2). */
  #refusePublish(packet: PublishPacket, error: BrokerError): void {
    const { logger, counters } = this.#server.services;
    counters.droppedRefused++;
    logger.warn({ clientId: this.#session?.clientId, reason: error.message }, 'a message was refused');
    if (packet.qos === 0) return;
    const type = packet.qos === 1 ? TYPE.puback : TYPE.pubrec;
    const reason = this.#version === 5 ? FAULT_REASON[error.code] : 0;
    // Before MQTT 5 the QoS 2 exchange goes on to its end.
    if (packet.qos === 2 && this.#version < 5) this.#session?.inbound.add(packet.packetId, 'stored');
    writeAcknowledgement(this.#connection, type, this.#version, packet.packetId, reason, this.#explain(error));
  }

  taken(qos: 1 | 2, packetId: number): void {
    if (this.#over) return;
    writeAcknowledgement(this.#connection, qos === 1 ? TYPE.puback : TYPE.pubrec, this.#version, packetId, 0);
  }

  refused(qos: 1 | 2, packetId: number, error: BrokerError): void {
    if (this.#over) return;
    if (this.#version < 5) {
      // There is no negative answer: cut off, the client keeps the message and sends it again.
      this.#fail(error);
      return;
    }
    const type = qos === 1 ? TYPE.puback : TYPE.pubrec;
    writeAcknowledgement(this.#connection, type, 5, packetId, FAULT_REASON[error.code], this.#explain(error));
  }

  pubrel(packetId: number): void {
    const session = this.#connected();
    if (!session.inbound.delete(packetId)) {
      writeAcknowledgement(this.#connection, TYPE.pubcomp, this.#version, packetId, REASON.packetIdentifierNotFound);
      return;
    }
    // The identifier may stand for another message after PUBCOMP: that this one is done must not be forgotten.
    session.saved(() => {
      if (!this.#over) writeAcknowledgement(this.#connection, TYPE.pubcomp, this.#version, packetId, REASON.success);
    });
  }

  #aliased(packet: PublishPacket): string {
    this.#aliases ??= new TopicAliases(this.#server.services.limits.topicAliases);
    return this.#aliases.resolve(packet.properties?.topicAlias, packet.topic);
  }

  // --- acknowledgements of what the client got ----------------------------------------------------------------------

  puback(packetId: number): void {
    this.#connected().puback(packetId);
  }

  pubrec(packetId: number, reason: number): void {
    if (this.#connected().pubrec(packetId, reason)) return;
    writeAcknowledgement(this.#connection, TYPE.pubrel, this.#version, packetId, REASON.packetIdentifierNotFound);
  }

  pubcomp(packetId: number): void {
    this.#connected().pubcomp(packetId);
  }

  // --- subscriptions ------------------------------------------------------------------------------------------------

  subscribe(packet: SubscribePacket): void {
    const session = this.#connected();
    const identifier = packet.properties?.subscriptionIdentifiers?.[0] ?? 0;
    const replays: string[] = [];
    const codes = packet.requests.map((request) => {
      const error = this.#login && subscribeFault(this.#server.services, session, this.#login.principal, request);
      if (error !== undefined) return this.#version === 5 ? FAULT_REASON[error.code] : SUBACK_FAILURE_V3;
      const { filter, qos, noLocal, retainAsPublished } = request;
      if (noLocal && isShared(filter))
        throw new BrokerError('protocol', 'No Local on a shared subscription [MQTT-3.8.3-4]');
      const added = session.subscribe({ filter, qos, noLocal, retainAsPublished, identifier });
      const replayed = request.retainHandling === 0 || (request.retainHandling === 1 && added);
      if (replayed && !isShared(filter)) replays.push(filter);
      return qos;
    });
    session.saved(() => {
      if (this.#over) return;
      writeCodes(this.#connection, TYPE.suback, this.#version, packet.packetId, codes);
      for (const filter of replays) session.replayRetained(filter);
    });
  }

  unsubscribe(packet: UnsubscribePacket): void {
    const session = this.#connected();
    const codes = packet.filters.map((filter) =>
      session.unsubscribe(filter) ? REASON.success : REASON.noSubscriptionExisted,
    );
    session.saved(() => {
      if (!this.#over) writeCodes(this.#connection, TYPE.unsuback, this.#version, packet.packetId, codes);
    });
  }

  // --- the rest -----------------------------------------------------------------------------------------------------

  pingreq(): void {
    this.#connected();
    writePingresp(this.#connection);
  }

  auth(): void {
    this.#connected();
    throw new BrokerError('protocol', 'AUTH without an authentication method agreed in CONNECT');
  }

  disconnect(reason: number, properties: PacketProperties | undefined): void {
    this.#connected();
    const accepted = this.#login;
    if (accepted !== undefined && properties?.sessionExpiry !== undefined) {
      // [MQTT-3.14.2.2.2]: a session that was to end with its connection cannot be kept after all.
      if (accepted.sessionExpiry === 0 && properties.sessionExpiry > 0) {
        throw new BrokerError('protocol', 'Session Expiry Interval in DISCONNECT where CONNECT had 0');
      }
      accepted.sessionExpiry = Math.min(properties.sessionExpiry, this.#server.services.limits.sessionExpirySeconds);
    }
    this.#decoder.stop();
    this.#release(this.#version === 5 && reason === DISCONNECT_WITH_WILL);
    this.#end('');
  }

  #connected(): MqttSession {
    if (this.#session === undefined) throw new BrokerError('protocol', 'a packet before CONNECT [MQTT-3.1.0-1]');
    return this.#session;
  }

  /** Gives the session back, once. `withWill`: the connection did not end as the client wished. */
  #release(withWill: boolean): void {
    const session = this.#session;
    const accepted = this.#login;
    this.#session = undefined;
    if (session === undefined || accepted === undefined) return;
    this.#server.release(session, accepted, withWill);
  }

  /** Ends the connection over an error, told as far as the version and the state have a way to. */
  #fail(error: BrokerError): void {
    if (this.#over) return;
    // Before CONNACK there is only CONNACK to say it with.
    if (this.#session === undefined) {
      this.#refuseConnection(error);
    } else if (this.#version === 5) {
      writeDisconnect(this.#connection, FAULT_REASON[error.code], this.#explain(error));
    }
    this.#end(error.message);
  }

  #refuseConnection(error: BrokerError): void {
    if (error instanceof UnknownVersion) {
      // In the form that the level asked for has: later versions are expected to keep that of MQTT 5.
      writeConnack(this.#connection, error.level >= 5 ? 5 : 4, false, error.level >= 5 ? FAULT_REASON[error.code] : 1);
      return;
    }
    // Not even the beginning of a CONNECT was understood: there is no version to answer in.
    if (this.#decoder.version === 5)
      writeConnack(this.#connection, 5, false, FAULT_REASON[error.code], this.#explain(error));
    else {
      const code = CONNACK_V3[error.code];
      if (code !== undefined) writeConnack(this.#connection, 4, false, code);
    }
  }

  #explain(error: BrokerError): ReturnType<typeof reasonString>[] {
    // [MQTT-3.1.2-29]: only to clients that want problem information.
    return this.#version === 5 && this.#login?.problemInformation !== false ? [reasonString(error.message)] : [];
  }

  #end(reason: string): void {
    this.#over = true;
    this.#decoder.stop();
    this.#connection.end(reason);
  }
}
