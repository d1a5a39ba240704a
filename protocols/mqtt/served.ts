import type { BrokerError } from '../../src/core/errors.ts';
import type { Services } from '../../src/ports/routing.ts';
import type { Connection } from '../../src/ports/transport.ts';
import type { Capabilities } from './capabilities.ts';
import type { Login } from './login.ts';
import type { Version } from './packets.ts';
import type { MqttSession } from './session.ts';

/** A connection whose CONNECT was accepted, as those see it who serve its packets. */
export interface Served {
  readonly services: Services;
  readonly capabilities: Capabilities;
  readonly connection: Connection;
  readonly version: Version;
  readonly login: Login;
  readonly session: MqttSession;
  /** It has ended: nothing may be written any more. */
  readonly over: boolean;
  /** Ends it over an error. */
  failed(error: BrokerError): void;
}
