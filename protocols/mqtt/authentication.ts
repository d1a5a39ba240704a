import { BrokerError } from '../../src/core/errors.ts';
import type { Conversation, Mechanisms, Step } from '../../src/ports/authentication.ts';
import type { Caller, Principal } from '../../src/ports/authorizer.ts';
import type { Property } from './encoder.ts';
import type { AuthPacket, ConnectPacket } from './packets.ts';
import { REASON } from './reasons.ts';

/** What an exchange needs of its connection. */
export interface AuthenticationOwner {
  /** It has ended: nothing may be written any more. */
  readonly over: boolean;
  writeAuth(reason: number, properties: readonly Property[]): void;
  /** The client is who it says: CONNACK is due, with `Authentication.admitted`. */
  authenticated(principal: Principal): void;
  /** Ends the connection: by CONNACK before that, else by DISCONNECT. */
  failed(error: BrokerError): void;
  /** The same over an error that is none of the client's. */
  broken(error: unknown): void;
}

/**
 * - `client`: an AUTH with Continue authentication is awaited.
 * - `server`: the method is at work on what the client sent.
 * - `proven`: CONNACK is due.
 * - `agreed`: the connection is served; the client may prove itself again (4.12.1).
 */
type State = 'client' | 'server' | 'proven' | 'agreed';

/**
 * Enhanced authentication of one connection (MQTT 5.0, 4.12): the exchange between CONNECT and CONNACK, and those that the
 * client begins later, during which everything else goes on by the one before.
 */
export class Authentication {
  readonly #method: string;
  readonly #mechanisms: Mechanisms;
  readonly #caller: Caller;
  readonly #userName: string | undefined;
  readonly #owner: AuthenticationOwner;
  #state: State = 'client';
  #conversation: Conversation;
  /** undefined until it is known; then the same for good. */
  #principal: Principal | undefined;
  /** For CONNACK: what proves the server to the client. */
  #proof: Uint8Array = NOTHING;

  /** Throws a BrokerError where the method is not offered, or the CONNECT asks for two things at once. */
  constructor(packet: ConnectPacket, caller: Caller, mechanisms: Mechanisms | undefined, owner: AuthenticationOwner) {
    const method = packet.properties?.authenticationMethod ?? '';
    const conversation = mechanisms?.begin(method, caller);
    if (mechanisms === undefined || conversation === undefined) throw notOffered(method, mechanisms);
    // What nobody looks at should not be sent, least of all a password.
    if (packet.password !== undefined)
      throw new BrokerError('badCredentials', `a password beside the authentication method ${method}; leave it out`);
    this.#method = method;
    this.#mechanisms = mechanisms;
    this.#caller = caller;
    this.#userName = packet.userName;
    this.#owner = owner;
    this.#conversation = conversation;
  }

  /** With the Authentication Data of CONNECT. */
  begin(data: Uint8Array | undefined): void {
    this.#ask(data);
  }

  auth({ reason, properties }: AuthPacket): void {
    const method = properties?.authenticationMethod;
    if (method === undefined)
      throw new BrokerError('protocol', 'AUTH without an Authentication Method [MQTT-4.12.0-5]');
    if (method !== this.#method) {
      const clause = reason === REASON.reAuthenticate ? 'MQTT-4.12.1-1' : 'MQTT-4.12.0-5';
      throw new BrokerError('protocol', `AUTH with another Authentication Method than CONNECT had [${clause}]`);
    }
    if (reason === REASON.continueAuthentication) {
      if (this.#state !== 'client') throw new BrokerError('protocol', 'AUTH (0x18) where none is awaited');
    } else if (reason === REASON.reAuthenticate) {
      if (this.#state !== 'agreed')
        throw new BrokerError('protocol', 'AUTH (0x19) before the authentication at hand is complete [MQTT-4.12.0-3]');
      const again = this.#mechanisms.begin(method, this.#caller);
      if (again === undefined) throw notOffered(method, this.#mechanisms);
      this.#conversation = again;
    } else {
      throw new BrokerError('protocol', 'AUTH from a client with a reason other than 0x18 and 0x19 [MQTT-3.15.2-1]');
    }
    this.#ask(properties?.authenticationData);
  }

  /** CONNACK is being sent; what it has to have [MQTT-4.12.0-5]. */
  admitted(): readonly Property[] {
    this.#state = 'agreed';
    return this.#properties(this.#proof);
  }

  #ask(data: Uint8Array | undefined): void {
    this.#state = 'server';
    this.#conversation
      .respond(data)
      .then((step) => {
        if (!this.#owner.over) this.#take(step);
      })
      // Of the step itself, too: what no one catches would end the process.
      .catch((error: unknown) => this.#owner.broken(error));
  }

  #take(step: Step): void {
    if (step.kind !== 'refused' && step.data.length > MOST_DATA)
      throw new RangeError(`${this.#method} gives ${step.data.length} bytes; AUTH and CONNACK hold ${MOST_DATA}`);
    switch (step.kind) {
      case 'challenge':
        this.#state = 'client';
        this.#owner.writeAuth(REASON.continueAuthentication, this.#properties(step.data));
        return;
      case 'proven':
        this.#prove(step.principal, step.data);
        return;
      case 'refused': {
        // 0x86 is no reason for a DISCONNECT (3.14.2.1).
        const code = this.#principal === undefined ? step.code : 'notAuthorized';
        this.#owner.failed(new BrokerError(code, step.text));
      }
    }
  }

  #prove(principal: Principal, data: Uint8Array): void {
    if (this.#principal !== undefined) {
      this.#state = 'agreed';
      // Session and subscriptions are those of the first one.
      if (this.#principal.name === principal.name) this.#owner.writeAuth(REASON.success, this.#properties(data));
      else this.#owner.failed(new BrokerError('notAuthorized', 're-authentication as another user than before'));
      return;
    }
    if (this.#userName !== undefined && this.#userName !== principal.name) {
      const text = 'the user name in CONNECT is not the one that was proven; leave it out';
      this.#owner.failed(new BrokerError('badCredentials', text));
      return;
    }
    this.#state = 'proven';
    this.#principal = principal;
    this.#proof = data;
    this.#owner.authenticated(principal);
  }

  #properties(data: Uint8Array): readonly Property[] {
    const method: Property = [0x15, this.#method];
    return data.length === 0 ? [method] : [method, [0x16, data]];
  }
}

/** Bytes of Binary Data (1.5.6). */
const MOST_DATA = 0xffff;
const NOTHING = new Uint8Array(0);

function notOffered(method: string, mechanisms: Mechanisms | undefined): BrokerError {
  const names = mechanisms?.names ?? [];
  const offered = names.length === 0 ? 'none is offered (security.users)' : `${names.join(' and ')} are offered`;
  return new BrokerError('unsupportedAuthentication', `the authentication method ${method} is not offered; ${offered}`);
}
