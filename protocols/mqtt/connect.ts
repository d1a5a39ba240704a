import { BrokerError } from '../../src/core/errors.ts';
import { type ConnectPacket, TYPE, type Version, type WillPacket } from './packets.ts';
import { type PropertyLimits, readProperties, WILL_PROPERTIES } from './properties.ts';
import type { Reader } from './reader.ts';

/** Set in the level by bridges of mosquitto, which ask for more than the level has and go without it when refused. */
const BRIDGE = 0x80;

/** A protocol of ours at a level this server does not speak; answered in that level's form. */
export class UnknownVersion extends BrokerError {
  /** The form of its CONNACK: later levels are expected to keep that of MQTT 5. */
  readonly form: Version;

  constructor(name: string, level: number) {
    super('unsupportedVersion', `protocol level ${level}; 3 (MQTT 3.1), 4 (3.1.1) and 5 (5.0) are spoken here`);
    this.form = name === 'MQTT' && (level & ~BRIDGE) >= 5 ? 5 : 4;
  }
}

/** The rest of CONNECT (MQTT 5.0, 3.1), behind its version. */
export function parseConnect(
  reader: Reader,
  version: Version,
  limits: PropertyLimits & { clientIdBytes: number },
): ConnectPacket {
  const flags = reader.uint8();
  if ((flags & 1) !== 0 && version > 3)
    throw new BrokerError('malformed', 'the reserved flag of CONNECT is set [MQTT-3.1.2-3]');
  const keepAlive = reader.uint16();
  const properties = version === 5 ? readProperties(reader, TYPE.connect, limits) : undefined;
  if (properties?.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw new BrokerError('protocol', 'Authentication Data without an Authentication Method');
  }
  const clientId = reader.string('the client identifier');
  if (Buffer.byteLength(clientId) > limits.clientIdBytes) {
    throw new BrokerError(
      'identifierInvalid',
      `the client identifier is longer than ${limits.clientIdBytes} bytes (limits.clientIdBytes)`,
    );
  }
  const will = parseWill(reader, flags, version, limits);
  const hasPassword = (flags & 0x40) !== 0;
  const hasUserName = (flags & 0x80) !== 0;
  if (hasPassword && !hasUserName && version < 5) {
    throw new BrokerError('malformed', 'a password without a user name [MQTT-3.1.2-22]');
  }
  // In MQTT 3.1 (3.1) the remaining length counts more than these flags: what is not there is left out.
  const userName = hasUserName && announced(reader, version) ? reader.string('the user name') : undefined;
  const password = hasPassword && announced(reader, version) ? reader.binary() : undefined;
  if (reader.left > 0) throw new BrokerError('malformed', 'CONNECT has content behind its last field');
  return { version, cleanStart: (flags & 2) !== 0, keepAlive, clientId, userName, password, will, properties };
}

function announced(reader: Reader, version: Version): boolean {
  return version > 3 || reader.left > 0;
}

/** The first two fields of CONNECT: from here on it is known in which form a fault is told. */
export function parseVersion(reader: Reader): Version {
  const name = reader.string('the protocol name');
  if (name !== 'MQTT' && name !== 'MQIsdp')
    throw new BrokerError('malformed', 'the protocol name is not MQTT [MQTT-3.1.2-1]');
  const level = reader.uint8();
  if (name === 'MQIsdp' ? level !== 3 : level !== 4 && level !== 5) throw new UnknownVersion(name, level);
  return level === 3 ? 3 : level === 4 ? 4 : 5;
}

function parseWill(reader: Reader, flags: number, version: Version, limits: PropertyLimits): WillPacket | undefined {
  const qos = (flags >> 3) & 3;
  const retain = (flags & 0x20) !== 0;
  if ((flags & 4) === 0) {
    if (qos !== 0 || retain) throw new BrokerError('malformed', 'will flags without a will [MQTT-3.1.2-11]');
    return undefined;
  }
  if (qos === 3) throw new BrokerError('malformed', 'a will with QoS 3 [MQTT-3.1.2-12]');
  const properties = version === 5 ? readProperties(reader, WILL_PROPERTIES, limits) : undefined;
  const topic = reader.string('the will topic');
  const payload = reader.binary();
  return { topic, payload, qos: qos === 0 ? 0 : qos === 1 ? 1 : 2, retain, properties };
}
