import mqttPacket from 'mqtt-packet';
import { Decoder } from '../../../protocols/mqtt/decoder.ts';
import type { PacketHandler, PacketProperties } from '../../../protocols/mqtt/packets.ts';
import { decodeText } from '../../../protocols/mqtt/reader.ts';
import { BrokerError } from '../../../src/core/errors.ts';
import { NameCache } from '../../../src/core/topic.ts';
import type { Version } from './mqtt-arbitraries.ts';

export type { Version };

/** Packets as plain objects of one form, whoever has read them: ours from the decoder, theirs from `mqtt-packet`. */

export type Plain = Readonly<Record<string, unknown>>;

/** A packet that was read, or the end. Nothing: more bytes are waited for. */
export type Outcome =
  | { readonly is: 'packet'; readonly packet: Plain }
  | { readonly is: 'refused'; readonly why: string };

/** Of the decoders that are tried. */
export const limits = {
  loginPacketBytes: 65536,
  packetBytes: 1048576,
  clientIdBytes: 1024,
  userProperties: 64,
  userPropertyBytes: 16384,
};
export const topics = new NameCache((bytes) => decodeText(Buffer.from(bytes), 0, bytes.length));

/** The type of a packet that stands first in a connection. */
const CONNECT = 1;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Names of properties in mqtt-packet, where they are others. */
const NAMES: Readonly<Record<string, string>> = {
  payloadFormat: 'payloadFormatIndicator',
  messageExpiry: 'messageExpiryInterval',
  subscriptionIdentifiers: 'subscriptionIdentifier',
  sessionExpiry: 'sessionExpiryInterval',
  willDelay: 'willDelayInterval',
  user: 'userProperties',
};
/** Which mqtt-packet has as true and false. */
const FLAGS: ReadonlySet<string> = new Set([
  'payloadFormatIndicator',
  'requestProblemInformation',
  'requestResponseInformation',
]);

/**
 * mqtt-packet groups user properties by name (so their order is lost), and forgets an empty value that another one of its
 * name follows. That is done to ours before they are compared; their order is a matter of `test/spec`.
 */
function grouped(pairs: Iterable<readonly [string, string]>): Plain {
  const groups = new Map<string, string[]>();
  for (const [name, value] of pairs) {
    const known = groups.get(name);
    if (known === undefined || (known.length === 1 && known[0] === '')) groups.set(name, [value]);
    else known.push(value);
  }
  return Object.fromEntries([...groups].map(([name, values]) => [`user ${name}`, values]));
}

function* pairsOf(groups: object): Iterable<readonly [string, string]> {
  for (const [name, values] of Object.entries(groups)) {
    for (const value of Array.isArray(values) ? values : [values]) yield [name, value];
  }
}

function ofOurs(properties: PacketProperties | undefined): Plain {
  return ofEntries(
    Object.entries(properties ?? {}).map(([key, value]) => {
      const name = NAMES[key] ?? key;
      if (key === 'user') return [name, grouped(value)];
      if (key === 'subscriptionIdentifiers') return [name, value.length === 1 ? value[0] : value];
      return [name, FLAGS.has(name) ? value === 1 : value];
    }),
  );
}

/** What mqtt-packet reads, and what it is given to write; user properties may be a list of names and values, too. */
export function propertiesOf(properties: object | undefined): Plain {
  const given = Object.entries(properties ?? {}).filter(([, value]) => value !== undefined);
  return ofEntries(
    given.map(([name, value]) => {
      if (name !== 'userProperties') return [name, value];
      return [name, grouped(Array.isArray(value) ? value : pairsOf(value))];
    }),
  );
}

function ofEntries(entries: [string, unknown][]): Plain {
  const known = entries
    .filter(([, value]) => value !== undefined && !(isObject(value) && Object.keys(value).length === 0))
    .map(([name, value]): [string, unknown] => [name, value instanceof Uint8Array ? hex(value) : value])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(known);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && !Array.isArray(value);
}

/** What our decoder makes of a stream: the packets that it hands on, and the fault that ended it. */
export function ours(bytes: Buffer, version: Version): Outcome[] {
  const seen: Outcome[] = [];
  const note = (packet: Plain): void => void seen.push({ is: 'packet', packet });
  const handler: PacketHandler = {
    connect({ version: level, cleanStart, keepAlive, clientId, userName, password, will, properties }) {
      decoder.admit();
      note({
        cmd: 'connect',
        version: level,
        clean: cleanStart,
        keepAlive,
        clientId,
        userName,
        password: password && hex(password),
        will: will && { ...will, payload: hex(will.payload), properties: ofOurs(will.properties) },
        properties: ofOurs(properties),
      });
    },
    publish({ topic, qos, retain, dup, packetId, data, start, end, properties }) {
      const payload = hex(data.subarray(start, end));
      note({ cmd: 'publish', topic, qos, retain, dup, id: packetId, payload, properties: ofOurs(properties) });
    },
    puback: (id, reason, user) => note({ cmd: 'puback', id, reason, user: grouped(user ?? []) }),
    pubrec: (id, reason, user) => note({ cmd: 'pubrec', id, reason, user: grouped(user ?? []) }),
    pubrel: (id) => note({ cmd: 'pubrel', id }),
    pubcomp: (id) => note({ cmd: 'pubcomp', id }),
    subscribe: ({ packetId, requests, properties }) =>
      note({ cmd: 'subscribe', id: packetId, requests, properties: ofOurs(properties) }),
    unsubscribe: ({ packetId, filters }) => note({ cmd: 'unsubscribe', id: packetId, filters }),
    pingreq: () => note({ cmd: 'pingreq' }),
    disconnect: (reason, properties) => note({ cmd: 'disconnect', reason, properties: ofOurs(properties) }),
    auth: ({ reason, properties }) => note({ cmd: 'auth', reason, properties: ofOurs(properties) }),
  };
  const decoder = new Decoder(handler, limits, topics);
  decoder.version = version;
  if ((bytes[0] ?? 0) >> 4 !== CONNECT) decoder.admit();
  try {
    decoder.push(bytes);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    seen.push({ is: 'refused', why: error.message });
  }
  return seen;
}

/** A packet of mqtt-packet in the common form: with what the decoder hands on, and nothing else. */
export function plain(packet: mqttPacket.Packet): Plain {
  const { cmd, messageId: id } = packet;
  switch (packet.cmd) {
    case 'connect': {
      const { protocolVersion, clean, keepalive, clientId, username, password, will, properties } = packet;
      return {
        cmd,
        version: protocolVersion,
        clean,
        keepAlive: keepalive,
        clientId,
        userName: username,
        password: password && hex(password),
        will: will && {
          topic: will.topic,
          payload: hex(Buffer.from(will.payload)),
          qos: will.qos,
          retain: will.retain,
          properties: propertiesOf(will.properties),
        },
        properties: propertiesOf(properties),
      };
    }
    case 'publish': {
      const { topic, qos, retain, dup, payload, properties } = packet;
      const content = { payload: hex(Buffer.from(payload)), properties: propertiesOf(properties) };
      return { cmd, topic, qos, retain, dup, id: id ?? 0, ...content };
    }
    case 'puback':
    case 'pubrec': {
      const { reasonCode: reason = 0, properties } = packet;
      return { cmd, id, reason, user: grouped(pairsOf(properties?.userProperties ?? {})) };
    }
    case 'subscribe': {
      const requests = packet.subscriptions.map(({ topic, qos, nl = false, rap = false, rh = 0 }) => {
        return { filter: topic, qos, noLocal: nl, retainAsPublished: rap, retainHandling: rh };
      });
      return { cmd, id, requests, properties: propertiesOf(packet.properties) };
    }
    case 'unsubscribe':
      return { cmd, id, filters: packet.unsubscriptions };
    case 'disconnect':
    case 'auth':
      return { cmd, reason: packet.reasonCode ?? 0, properties: propertiesOf(packet.properties) };
    case 'pubrel':
    case 'pubcomp':
      return { cmd, id };
    default:
      return { cmd };
  }
}

/** What mqtt-packet makes of it: its packets as it has them, and the fault that ended it. */
export function theirs(bytes: Buffer, version: Version): { packets: mqttPacket.Packet[]; fault: string | undefined } {
  const packets: mqttPacket.Packet[] = [];
  let fault: string | undefined;
  const parser = mqttPacket.parser({ protocolVersion: version });
  parser.on('packet', (packet) => {
    // It goes on to hand out the packet that it has just found a fault in.
    if (fault === undefined) packets.push(packet);
  });
  parser.on('error', (error: unknown) => {
    fault ??= error instanceof Error ? error.message : String(error);
  });
  try {
    parser.parse(bytes);
  } catch (error) {
    fault ??= `thrown: ${String(error)}`;
  }
  return { packets, fault };
}
