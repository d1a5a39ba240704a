import mqttPacket from 'mqtt-packet';
import { type Outcome, ours, type Version } from './mqtt-plain.ts';

/**
 * Where `mqtt-packet` takes other bytes for a packet than we do. Each rule has its reason, and looks at what mqtt-packet has
 * read whether the reason is true: a refusal of ours that is wrong is not covered by it.
 */

/** The first packet of some bytes, as the two have read it. */
export interface Reading {
  readonly bytes: Buffer;
  readonly version: Version;
  readonly mine: Outcome | undefined;
  readonly packet: mqttPacket.Packet | undefined;
  /** Why mqtt-packet refuses it. */
  readonly fault: string | undefined;
}

interface Rule {
  readonly name: string;
  readonly holds: (reading: Reading) => boolean;
}

/** We refuse it with these words, and mqtt-packet has read a packet of which `confirm` is true. */
function stricter(
  name: string,
  words: RegExp,
  confirm: (packet: mqttPacket.Packet, reading: Reading) => boolean,
): Rule {
  return {
    name,
    holds: (reading) => {
      const { mine, packet } = reading;
      return mine?.is === 'refused' && words.test(mine.why) && packet !== undefined && confirm(packet, reading);
    },
  };
}

/** Whether mqtt-packet would write the packet in other bytes than it has read it from. */
function writtenOtherwise(packet: mqttPacket.Packet, { bytes, version }: Reading): boolean {
  try {
    const written = mqttPacket.generate(packet, { protocolVersion: version });
    return !written.equals(bytes.subarray(0, written.length));
  } catch {
    return true;
  }
}

/** All properties, those of a will too. */
function propertiesOf(packet: mqttPacket.Packet): [string, unknown][] {
  const last = packet.cmd === 'connect' ? packet.will?.properties : undefined;
  const own = 'properties' in packet ? packet.properties : undefined;
  return [...Object.entries(own ?? {}), ...Object.entries(last ?? {})];
}

const has = (packet: mqttPacket.Packet, name: string): boolean => propertiesOf(packet).some(([each]) => each === name);

const SERVERS_OWN: ReadonlySet<string> = new Set(['connack', 'suback', 'unsuback', 'pingresp']);

const RULES: readonly Rule[] = [
  // What is there is not as the specification wants it; mqtt-packet does not look.
  stricter(
    'it reads ill-formed UTF-8 as U+FFFD, and U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2]',
    /UTF-8|topic name is not valid/,
    (packet) => /\uFFFD|\\u0000/.test(JSON.stringify(packet)),
  ),
  stricter('it takes 0 for a packet identifier [MQTT-2.2.1-3]', /identifier 0/, ({ messageId }) => messageId === 0),
  stricter(
    'it takes what is longer or shorter than its content, and reads beyond the packet (2.1.4)',
    /content|too early|beyond the packet/,
    writtenOtherwise,
  ),
  stricter('it takes the longer forms of an integer [MQTT-1.5.5-1]', /longer than it must be/, writtenOtherwise),
  stricter('it takes any value for true (3.1.2.11.6 and others)', /0 and 1 are allowed/, writtenOtherwise),
  stricter(
    'it takes a property twice, and makes a list of it (2.2.2.2)',
    /stands in the packet twice/,
    (packet, reading) =>
      propertiesOf(packet).some(([, each]) => Array.isArray(each)) || writtenOtherwise(packet, reading),
  ),
  stricter(
    'it takes every property in every packet (2.2.2.2)',
    /is not a property of|is a property of what servers send/,
    (packet) => propertiesOf(packet).length > 0,
  ),
  stricter(
    'it takes a Subscription Identifier from clients [MQTT-3.3.4-6]',
    /PUBLISH from a client with a Subscription Identifier/,
    (packet) => packet.cmd === 'publish' && has(packet, 'subscriptionIdentifier'),
  ),
  stricter('it takes 0 where that is not allowed', /is 0, which is not allowed/, (packet) =>
    propertiesOf(packet).some(([, value]) => value === 0),
  ),
  stricter(
    'it takes Authentication Data without a method (3.1.2.11.10)',
    /Authentication Data without/,
    (packet) => has(packet, 'authenticationData') && !has(packet, 'authenticationMethod'),
  ),
  stricter(
    'it takes DUP at QoS 0 [MQTT-3.3.1-2]',
    /DUP at QoS 0/,
    (packet) => packet.cmd === 'publish' && packet.dup && packet.qos === 0,
  ),
  stricter(
    'it takes 3 for the QoS of a will [MQTT-3.1.2-12]',
    /will with QoS 3/,
    (packet) => packet.cmd === 'connect' && Number(packet.will?.qos) === 3,
  ),
  stricter(
    'it takes a password without a name (3.1.1: [MQTT-3.1.2-22])',
    /password without/,
    (packet) => packet.cmd === 'connect' && packet.password !== undefined && packet.username === undefined,
  ),
  stricter(
    'it takes SUBSCRIBE and UNSUBSCRIBE without a filter [MQTT-3.8.3-2] [MQTT-3.10.3-2]',
    /without a topic filter/,
    (packet) =>
      (packet.cmd === 'subscribe' && packet.subscriptions.length === 0) ||
      (packet.cmd === 'unsubscribe' && packet.unsubscriptions.length === 0),
  ),
  stricter(
    'it takes No Local on a shared subscription [MQTT-3.8.3-4]',
    /No Local/,
    (packet) =>
      packet.cmd === 'subscribe' && packet.subscriptions.some(({ topic, nl }) => nl && topic.startsWith('$share/')),
  ),
  {
    name: 'it wants the flags of 3.1.1 in MQTT 3.1, too, which does not use all of them, nor all fields they stand for (2.1, 3.1)',
    holds: ({ version, mine, fault }) =>
      version === 3 && mine?.is !== 'refused' && /flag|^Cannot parse (username|password)/i.test(fault ?? ''),
  },
  stricter('it reads what servers send, too', /not one that clients send/, ({ cmd }) => SERVERS_OWN.has(cmd)),
  stricter(
    'it knows bridges by the highest bit of the level, and does not compare name and level (3.1.2.1)',
    /protocol level/,
    (packet) =>
      packet.cmd === 'connect' &&
      ('bridgeMode' in packet || (packet.protocolId === 'MQIsdp') !== (packet.protocolVersion === 3)),
  ),
  stricter(
    'it takes reason codes of DISCONNECT that only servers send (3.14.2.1)',
    /reason code/,
    (packet) => packet.cmd === 'disconnect' && (packet.reasonCode ?? 0) > 0x80,
  ),
  stricter('it has no bounds for user properties', /too many User Properties/, (packet) =>
    has(packet, 'userProperties'),
  ),
  {
    name: 'it has no bound for packets, and waits for the bytes of any',
    holds: ({ mine, packet, fault }) =>
      mine?.is === 'refused' && /at most|longer than it must be/.test(mine.why) && !packet && !fault,
  },
  {
    name: 'our decoder leaves reason codes of AUTH to the exchange, which alone knows what may come (`spec/mqtt/authentication`)',
    holds: ({ mine, fault }) =>
      mine?.is === 'packet' && mine.packet.cmd === 'auth' && /auth reason code/.test(fault ?? ''),
  },
  // What is not there yet.
  {
    name: 'we look at the flags of a packet when all of it is there',
    holds: ({ mine, fault, bytes, version }) =>
      mine === undefined &&
      /flag bits|QoS bits/.test(fault ?? '') &&
      ours(Buffer.concat([bytes.subarray(0, 1), Buffer.of(0)]), version)[0]?.is === 'refused',
  },
];

/** The rule by which the two differ. */
export function ruleOf(reading: Reading): string | undefined {
  return RULES.find(({ holds }) => holds(reading))?.name;
}
