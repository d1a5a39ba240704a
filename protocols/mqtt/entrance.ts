import { BrokerError } from '../../src/core/errors.ts';
import type { Caller, LoginRefusal, Principal } from '../../src/ports/authorizer.ts';
import type { Services } from '../../src/ports/routing.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { Authentication, type AuthenticationOwner } from './authentication.ts';
import type { Capabilities } from './capabilities.ts';
import { authBytes, type Property, writeAuth } from './encoder.ts';
import { NO_MAXIMUM } from './link.ts';
import { callerOf, type Login, login } from './login.ts';
import type { AuthPacket, ConnectPacket } from './packets.ts';

/** The connection that a client comes in by. */
export interface EntranceOwner {
  readonly services: Services;
  readonly capabilities: Capabilities;
  readonly connection: Connection;
  /** It has ended: nothing may be written any more. */
  readonly over: boolean;
  /** Packets behind CONNECT wait from now on. */
  hold(): void;
  /** The CONNECT is accepted, its session is due. */
  enter(login: Login): void;
  /** Ends it over an error. */
  failed(error: BrokerError): void;
  /** The same over an error that is none of the client's. */
  broken(error: unknown): void;
}

/** From a CONNECT to a login: who is it? By user name and password, or by an exchange of AUTH. */
export class Entrance implements AuthenticationOwner {
  readonly #owner: EntranceOwner;
  readonly #caller: Caller;
  readonly #maximumPacketSize: number;
  /** Until the login is settled. */
  #packet: ConnectPacket | undefined;
  /** undefined: none was agreed. */
  readonly #authentication: Authentication | undefined;

  /** Throws a BrokerError when the CONNECT is refused at once. `begin` is next. */
  constructor(packet: ConnectPacket, owner: EntranceOwner) {
    const { services, connection } = owner;
    const asked = packet.properties;
    this.#owner = owner;
    this.#packet = packet;
    this.#caller = callerOf(packet, connection.peer, services);
    this.#maximumPacketSize = asked?.maximumPacketSize ?? NO_MAXIMUM;
    if (asked?.authenticationMethod !== undefined)
      this.#authentication = new Authentication(packet, this.#caller, services.authorizer.mechanisms, this);
  }

  /** AUTH was agreed on: it stays so after CONNACK. */
  get exchanges(): boolean {
    return this.#authentication !== undefined;
  }

  /** Calls `enter` during the call where no password has to be checked. Throws as the constructor does. */
  begin(): void {
    const { userName, password, properties } = this.#packet ?? {};
    if (this.#authentication !== undefined) {
      this.#authentication.begin(properties?.authenticationData);
      return;
    }
    const abandoned = (): boolean => this.#owner.over;
    const verdict = this.#owner.services.authorizer.authenticate({ ...this.#caller, userName, password, abandoned });
    if (!(verdict instanceof Promise)) {
      this.#enter(verdict);
      return;
    }
    this.#owner.hold();
    verdict.then((found) => this.#settle(found)).catch((error: unknown) => this.#owner.broken(error));
  }

  /** Where `exchanges`. */
  auth(packet: AuthPacket): void {
    this.#authentication?.auth(packet);
  }

  /** CONNACK is being sent: what the exchange adds to it. */
  admitted(): readonly Property[] {
    return this.#authentication?.admitted() ?? [];
  }

  #settle(verdict: Principal | LoginRefusal): void {
    try {
      this.#enter(verdict);
    } catch (error) {
      if (error instanceof BrokerError) this.#owner.failed(error);
      else throw error;
    }
  }

  #enter(verdict: Principal | LoginRefusal): void {
    const packet = this.#packet;
    this.#packet = undefined;
    if (this.#owner.over || packet === undefined) return;
    if (typeof verdict === 'string') throw new BrokerError(verdict);
    this.#owner.enter(login(packet, this.#caller, verdict, this.#owner));
  }

  // --- from the exchange --------------------------------------------------------------------------------------------

  get over(): boolean {
    return this.#owner.over;
  }

  authenticated(principal: Principal): void {
    this.#settle(principal);
  }

  writeAuth(reason: number, properties: readonly Property[]): void {
    const bytes = authBytes(properties);
    const most = this.#maximumPacketSize;
    // [MQTT-3.1.2-24]; without it the exchange cannot go on.
    if (bytes > most) this.failed(new BrokerError('tooLarge', `AUTH has ${bytes} bytes; the client takes ${most}`));
    else writeAuth(this.#owner.connection, reason, properties);
  }

  failed(error: BrokerError): void {
    this.#owner.failed(error);
  }

  broken(error: unknown): void {
    this.#owner.broken(error);
  }
}
