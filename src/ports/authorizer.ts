import type { ProtocolName } from '../core/message.ts';
import type { Mechanisms } from './authentication.ts';
import type { Peer } from './transport.ts';

/** A connection that wants to log in. */
export interface Caller {
  readonly peer: Peer;
  readonly protocol: ProtocolName;
  readonly clientId: string;
}

export interface Credentials extends Caller {
  readonly userName: string | undefined;
  readonly password: Uint8Array | undefined;
  /** The connection has ended meanwhile: nobody waits for the answer. */
  readonly abandoned?: () => boolean;
}

/** Who a connection turned out to be. Sessions belong to a principal. */
export interface Principal {
  readonly name: string;
}

/** Why a login is refused. `busy`: too many are being checked. */
export type LoginRefusal = 'badCredentials' | 'notAuthorized' | 'busy';

/** Who may connect, and what they may do. Names arrive decoded, in canonical MQTT form. */
export interface Authorizer {
  /** The principal, or why not: at once, unless a password has to be checked. */
  authenticate(credentials: Credentials): Principal | LoginRefusal | Promise<Principal | LoginRefusal>;
  /** Ways to log in by challenges and responses; none where it is absent. */
  readonly mechanisms?: Mechanisms;
  mayPublish(principal: Principal, topic: string): boolean;
  maySubscribe(principal: Principal, filter: string): boolean;
}
