import type { BrokerError } from '../../src/core/errors.ts';
import type { Services } from '../../src/ports/routing.ts';
import type { Connection } from '../../src/ports/transport.ts';
import type { Capabilities } from './capabilities.ts';
import { type Property, reasonString } from './encoder.ts';
import type { Login } from './login.ts';
import type { Version } from './packets.ts';
import type { MqttSession } from './session.ts';

/** A connection whose CONNECT was accepted, as those see it who serve its packets. */
export interface Exchange {
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

/** Bytes of an answer beside its reason string, and the codes in it. */
const ANSWER_BYTES = 16;

/**
 * A Reason String, for clients that want problem information [MQTT-3.1.2-29] and take packets that large [MQTT-3.2.2-19].
 * `codes`: how many reason codes stand beside it.
 */
export function explain(
  version: Version,
  login: Pick<Login, 'problemInformation' | 'maximumPacketSize'> | undefined,
  text: string,
  codes = 1,
): Property[] {
  if (version < 5 || login?.problemInformation === false) return [];
  const property = reasonString(text);
  const bytes = Buffer.byteLength(text) + ANSWER_BYTES + codes;
  return login !== undefined && bytes > login.maximumPacketSize ? [] : [property];
}
