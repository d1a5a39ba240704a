import type { ProtocolName } from '../core/message.ts';
import type { Peer } from './transport.ts';

export interface Credentials {
  readonly peer: Peer;
  readonly protocol: ProtocolName;
  readonly clientId: string;
  readonly userName: string | undefined;
  readonly password: Uint8Array | undefined;
}

/** Who a connection turned out to be. Sessions belong to a principal. */
export interface Principal {
  readonly name: string;
}

/** Who may connect, and what they may do. Names arrive decoded, in canonical MQTT form. */
export interface Authorizer {
  /** The principal, or why not. */
  authenticate(credentials: Credentials): Principal | 'badCredentials' | 'notAuthorized';
  mayPublish(principal: Principal, topic: string): boolean;
  maySubscribe(principal: Principal, filter: string): boolean;
}
