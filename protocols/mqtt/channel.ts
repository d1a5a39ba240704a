import { BrokerError } from '../../src/core/errors.ts';
import type { UserProperty } from '../../src/core/message.ts';
import type { Channel } from '../../src/ports/protocol.ts';
import type { Place, Services } from '../../src/ports/routing.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { type AnswerTerms, answerTerms, writeFarewell, writeRefusal } from './answers.ts';
import type { Capabilities } from './capabilities.ts';
import { UnknownVersion } from './connect.ts';
import { Decoder } from './decoder.ts';
import { fitting, type Property, writeAcknowledgement, writeConnack, writePingresp } from './encoder.ts';
import { Entrance, type EntranceOwner } from './entrance.ts';
import { Link } from './link.ts';
import { type Login, noRoom } from './login.ts';
import {
  type AuthPacket,
  type ConnectPacket,
  type PacketHandler,
  type PacketProperties,
  type PublishPacket,
  type SubscribePacket,
  TYPE,
  type UnsubscribePacket,
  type Version,
} from './packets.ts';
import { Publishing } from './publishing.ts';
import { REASON } from './reasons.ts';
import type { Served } from './served.ts';
import type { MqttServer } from './server.ts';
import { type Holder, MqttSession } from './session.ts';
import { Subscribing } from './subscribing.ts';

/** Properties of a CONNACK that is out: there may be 100,000 clients that do nothing but stay. */
const TOLD: readonly Property[] = [];

/**
 * One connection of an MQTT client: waits for CONNECT (`#session` undefined), then serves packets until either side
 * ends it (`#over`).
 */
export class MqttChannel implements Channel, PacketHandler, Served, Holder, EntranceOwner {
  readonly #server: MqttServer;
  readonly connection: Connection;
  readonly #decoder: Decoder;
  /** When bytes last came; before CONNECT, when the connection was made. Milliseconds since 1970. */
  #heardAt: number;
  #version: Version = 4;
  #entrance: Entrance | undefined;
  #session: MqttSession | undefined;
  /** Of CONNECT, once it was understood. */
  #terms: AnswerTerms | undefined;
  #login: Login | undefined;
  #publishing: Publishing | undefined;
  #subscribing: Subscribing | undefined;
  #over = false;

  constructor(server: MqttServer, connection: Connection) {
    this.#server = server;
    this.connection = connection;
    this.#heardAt = server.services.clock.now();
    this.#decoder = new Decoder(this, server.services.limits, server.topics);
  }

  // --- as those see it who serve its packets ------------------------------------------------------------------------

  get services(): Services {
    return this.#server.services;
  }

  get capabilities(): Capabilities {
    return this.#server.capabilities;
  }

  get version(): Version {
    return this.#version;
  }

  get login(): Login {
    if (this.#login === undefined) throw beforeConnect();
    return this.#login;
  }

  get session(): MqttSession {
    if (this.#session === undefined) throw beforeConnect();
    return this.#session;
  }

  get over(): boolean {
    return this.#over;
  }

  /** The connection cannot go on. */
  failed(error: BrokerError): void {
    this.#fail(error);
  }

  // --- from the transport -------------------------------------------------------------------------------------------

  receive(chunk: Buffer, now: number): void {
    if (this.#over) return;
    if (this.#login !== undefined) this.#heardAt = now;
    this.#decode(() => this.#decoder.push(chunk));
  }

  #decode(work: () => void): void {
    let fault: BrokerError | undefined;
    try {
      work();
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      fault = error;
    }
    // What came before the fault was in order, and goes before a will.
    this.#publishing?.flush();
    this.services.counters.packetsReceived += this.#decoder.taken();
    if (fault !== undefined) this.#fail(fault);
  }

  drained(): void {
    this.#session?.drained();
  }

  tick(now: number): void {
    if (this.#over) return;
    const limits = this.#server.services.limits;
    if (this.#login === undefined || this.#session === undefined) {
      if (now - this.#heardAt > limits.loginSeconds * 1000) this.#end('no login in time (limits.loginSeconds)');
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

  shutdown(code: 'administrative' | 'shutdown' | 'slowReader' | 'tooLarge' | 'malformed' | 'internal'): void {
    this.#fail(new BrokerError(code));
  }

  /** Another connection has this client identifier now; the session is its. */
  takenOver(): void {
    this.#fail(new BrokerError('takenOver'));
  }

  // --- CONNECT ------------------------------------------------------------------------------------------------------

  connect(packet: ConnectPacket): void {
    if (this.#login !== undefined) throw new BrokerError('protocol', 'a second CONNECT [MQTT-3.1.0-2]');
    this.#version = packet.version;
    this.#terms = answerTerms(packet.properties);
    this.#server.services.counters.logins++;
    this.#entrance = new Entrance(packet, this);
    if (this.#entrance.exchanges) this.#decoder.exchange();
    this.#entrance.begin();
  }

  /** Packets may follow CONNECT at once (3.1.4.2). Behind an Authentication Method none may [MQTT-3.1.2-30]. */
  hold(): void {
    if (this.#decoder.holding || this.#entrance?.exchanges) return;
    this.#decoder.hold();
    this.connection.pause();
  }

  enter(accepted: Login): void {
    this.#login = accepted;
    this.#terms = accepted;
    this.hold();
    const session = new MqttSession(accepted, this.services, this.capabilities, this);
    this.#server.open(accepted, session).then(
      (place) => this.#admit(accepted, session, place),
      (error: unknown) => {
        this.#login = undefined;
        if (error instanceof BrokerError) this.#fail(error);
        else this.broken(error);
      },
    );
  }

  broken(error: unknown): void {
    this.services.logger.error({ err: error, peer: this.connection.peer.name }, 'a client could not be let in');
    this.#fail(new BrokerError('internal'));
  }

  #admit(accepted: Login, session: MqttSession, place: Place): void {
    let present = place.kept !== undefined;
    try {
      session.restore(place, accepted.principal);
    } catch (error) {
      const { logger } = this.#server.services;
      present = false;
      logger.error({ err: error, clientId: accepted.clientId }, 'a stored session cannot be read; it begins anew');
    }
    if (this.#over) {
      session.leave(present ? accepted.sessionExpiry : 0);
      return;
    }
    const reply: readonly Property[] = accepted.responseInformation ? [[0x1a, session.assignReply()]] : [];
    const proof = this.#entrance?.admitted() ?? [];
    const properties = fitting([...accepted.properties, ...reply, ...proof], accepted.maximumPacketSize);
    if (properties === undefined) {
      session.leave(present ? accepted.sessionExpiry : 0);
      this.#fail(noRoom());
      return;
    }
    this.#session = session;
    const { clock, counters } = this.services;
    counters.loggedIn();
    // The keep alive begins now; the time before was the login's.
    this.#heardAt = clock.now();
    this.#decoder.admit();
    // Nothing of it is needed any more, unless the client may prove itself again.
    if (!this.#entrance?.exchanges) this.#entrance = undefined;
    // MQTT 3.1 (3.2) has no Session Present.
    const said = present && this.#version > 3;
    writeConnack(this.connection, this.#version, said, REASON.success, properties);
    accepted.properties = TOLD;
    this.#server.arm(accepted);
    session.attach(new Link(this.connection, this.#version, accepted, clock, counters));
    if (!this.#decoder.holding) return;
    this.connection.resume();
    this.#decode(() => this.#decoder.proceed());
  }

  // --- packets of the client ----------------------------------------------------------------------------------------

  publish(packet: PublishPacket): void {
    this.#publishes().publish(packet, this.#heardAt);
  }

  pubrel(packetId: number): void {
    this.#publishes().pubrel(packetId);
  }

  puback(packetId: number, reason: number, user: readonly UserProperty[] | undefined): void {
    this.session.outgoing.puback(packetId, reason, user);
  }

  pubrec(packetId: number, reason: number, user: readonly UserProperty[] | undefined): void {
    // Only what was received is released [MQTT-4.3.3-4].
    if (this.session.outgoing.pubrec(packetId, reason, user) || reason >= 0x80) return;
    writeAcknowledgement(this.connection, TYPE.pubrel, this.#version, packetId, REASON.packetIdentifierNotFound);
  }

  pubcomp(packetId: number): void {
    this.session.outgoing.pubcomp(packetId);
  }

  subscribe(packet: SubscribePacket): void {
    this.#subscribes().subscribe(packet);
  }

  unsubscribe(packet: UnsubscribePacket): void {
    this.#subscribes().unsubscribe(packet);
  }

  /** Made when needed: many clients only publish, or only subscribe. */
  #publishes(): Publishing {
    if (this.#session === undefined) throw beforeConnect();
    this.#publishing ??= new Publishing(this);
    return this.#publishing;
  }

  #subscribes(): Subscribing {
    if (this.#session === undefined) throw beforeConnect();
    this.#subscribing ??= new Subscribing(this);
    return this.#subscribing;
  }

  pingreq(): void {
    if (this.#session === undefined) throw beforeConnect();
    writePingresp(this.connection);
  }

  auth(packet: AuthPacket): void {
    if (this.#entrance === undefined)
      throw new BrokerError('protocol', 'AUTH without an Authentication Method in CONNECT [MQTT-4.12.0-7]');
    this.#entrance.auth(packet);
  }

  disconnect(reason: number, properties: PacketProperties | undefined): void {
    // In the middle of an exchange (4.12): there is nothing to keep or to give up yet.
    if (this.#login === undefined && this.#entrance?.exchanges) {
      this.#end('');
      return;
    }
    const accepted = this.login;
    if (properties?.sessionExpiry !== undefined) {
      // 3.14.2.2.2: a session that was to end with its connection cannot be kept after all.
      if (accepted.sessionExpiry === 0 && properties.sessionExpiry > 0) {
        throw new BrokerError('protocol', 'Session Expiry Interval in DISCONNECT where CONNECT had 0');
      }
      accepted.sessionExpiry = Math.min(properties.sessionExpiry, this.#server.services.limits.sessionExpirySeconds);
    }
    this.#decoder.stop();
    // [MQTT-3.14.4-3]: only a normal disconnection takes the will with it.
    this.#release(reason !== REASON.success);
    this.#end('');
  }

  /** Gives the session back, once. `withWill`: the connection did not end as the client wished. */
  #release(withWill: boolean): void {
    const session = this.#session;
    const accepted = this.#login;
    this.#session = undefined;
    if (session === undefined || accepted === undefined) return;
    this.#server.services.counters.loggedOut();
    this.#server.release(session, accepted, withWill);
  }

  /** Ends the connection over an error, told as far as the version and the state have a way to. */
  #fail(error: BrokerError): void {
    if (this.#over) return;
    // Before CONNACK there is only CONNACK to say it with.
    if (this.#session === undefined) {
      // Where not even the beginning of a CONNECT was understood, it is 4, which has no answer to that.
      const version = error instanceof UnknownVersion ? error.form : this.#decoder.version;
      writeRefusal(this.connection, version, this.#terms, error);
      this.#end(error.message);
      return;
    }
    // First, so that nothing more is sent to the client than that [MQTT-3.14.4-1].
    this.#release(true);
    writeFarewell(this.connection, this.#version, this.#terms, error);
    this.#end(error.message);
  }

  #end(reason: string): void {
    this.#over = true;
    this.#decoder.stop();
    this.connection.end(reason);
  }
}

function beforeConnect(): BrokerError {
  return new BrokerError('protocol', 'a packet before CONNECT [MQTT-3.1.0-1]');
}
