import { BrokerError } from '../../src/core/errors.ts';
import { Message } from '../../src/core/message.ts';
import { QUEUE_PREFIX, reservedFault, topicFault } from '../../src/core/topic.ts';
import type { Caller, Principal } from '../../src/ports/authorizer.ts';
import { mayBeAnswered } from '../../src/ports/rights.ts';
import type { Services } from '../../src/ports/routing.ts';
import type { Peer } from '../../src/ports/transport.ts';
import { type AnswerTerms, answerTerms } from './answers.ts';
import { announced, type Capabilities, checkWill } from './capabilities.ts';
import { fitting, type Property } from './encoder.ts';
import { queueFault, toProperties } from './mapping.ts';
import type { ConnectPacket, WillPacket } from './packets.ts';

/** What a CONNECT was accepted with. */
export interface Login extends AnswerTerms {
  readonly clientId: string;
  readonly principal: Principal;
  readonly cleanStart: boolean;
  /** Seconds; 0: none. */
  readonly keepAlive: number;
  /** Seconds the session outlives the connection. DISCONNECT may change it. */
  sessionExpiry: number;
  readonly window: number;
  /** Topic Aliases that may be set towards the client; 0 before MQTT 5. */
  readonly topicAliases: number;
  /** It wants a topic for answers (3.1.2.11.6). */
  readonly responseInformation: boolean;
  readonly will: Message | undefined;
  /** Seconds. */
  readonly willDelay: number;
  /** For CONNACK, and empty behind it; none before MQTT 5. */
  properties: readonly Property[];
}

interface Server {
  readonly services: Services;
  readonly capabilities: Capabilities;
}

/** Session Expiry Interval that means for ever (3.1.2.11.2). */
const NEVER = 0xffffffff;

/** Who wants to log in. The identifier is the client's own, or one that it is given. */
export function callerOf(packet: ConnectPacket, peer: Peer, services: Services): Caller {
  const clientId = packet.clientId === '' ? assignClientId(packet, services) : packet.clientId;
  return { peer, protocol: 'mqtt', clientId };
}

/** Checks the CONNECT of a client that is known, and settles its terms. Throws a BrokerError when it is refused. */
export function login(
  packet: ConnectPacket,
  { clientId }: Caller,
  principal: Principal,
  { services, capabilities }: Server,
): Login {
  const { limits, clock } = services;
  const asked = packet.properties;
  const properties: Property[] = [];
  const wanted = packet.version === 5 ? (asked?.sessionExpiry ?? 0) : packet.cleanStart ? 0 : NEVER;
  const sessionExpiry = Math.min(wanted, limits.sessionExpirySeconds);
  const unlimited = packet.keepAlive === 0 || packet.keepAlive > limits.keepAliveSeconds;
  const keepAlive = unlimited ? limits.keepAliveSeconds : packet.keepAlive;
  if (packet.version === 5) {
    if (sessionExpiry !== wanted) properties.push([0x11, sessionExpiry]);
    properties.push([0x21, limits.inflightIn], [0x27, limits.packetBytes]);
    if (packet.clientId === '') properties.push([0x12, clientId]);
    if (limits.topicAliases > 0) properties.push([0x22, limits.topicAliases]);
    if (unlimited) properties.push([0x13, keepAlive]);
    properties.push(...announced(capabilities));
  }
  const terms = answerTerms(asked);
  // Before another connection loses its session for nothing.
  if (fitting(properties, terms.maximumPacketSize) === undefined) throw noRoom();
  const will = packet.will === undefined ? undefined : willMessage(packet.will, clientId, principal, services);
  return {
    clientId,
    principal,
    cleanStart: packet.cleanStart,
    keepAlive,
    sessionExpiry,
    window: Math.min(asked?.receiveMaximum ?? limits.inflightOut, limits.inflightOut),
    problemInformation: terms.problemInformation,
    maximumPacketSize: terms.maximumPacketSize,
    topicAliases: Math.min(asked?.topicAliasMaximum ?? 0, limits.topicAliasesOut),
    responseInformation: asked?.requestResponseInformation === 1,
    will,
    willDelay: packet.will?.properties?.willDelay ?? 0,
    properties,
  };

  function willMessage(packetWill: WillPacket, id: string, owner: Principal, from: Services): Message {
    checkWill(packetWill, capabilities);
    const fault = topicFault(packetWill.topic, limits);
    if (fault !== undefined) throw new BrokerError('topicInvalid', `the will topic ${fault}`);
    const reserved = reservedFault(packetWill.topic);
    if (reserved !== undefined || !from.authorizer.mayPublish(owner, packetWill.topic)) {
      throw new BrokerError('notAuthorized', `not allowed to publish a will to ${packetWill.topic}`);
    }
    const { topic, payload, qos, retain } = packetWill;
    const now = clock.now();
    const forQueue = topic.startsWith(QUEUE_PREFIX);
    const wrong = forQueue ? willFault(packetWill) : undefined;
    if (wrong !== undefined) throw wrong;
    const carried = toProperties(packetWill.properties, now, limits, forQueue);
    const responseTopic = carried?.responseTopic;
    if (responseTopic !== undefined && !mayBeAnswered(from.authorizer, owner, responseTopic))
      throw new BrokerError('notAuthorized', `not allowed to have answers to a will sent to ${responseTopic}`);
    const publisher = { clientId: id, protocol: 'mqtt' } as const;
    return new Message(topic, payload, 0, payload.length, qos, retain && !forQueue, carried, publisher, now, true);
  }
}

/** A client that no CONNACK fits. */
export function noRoom(): BrokerError {
  return new BrokerError('tooLarge', 'the Maximum Packet Size is too small for CONNACK');
}

/** Of a will for a queue. */
function willFault({ properties }: WillPacket): BrokerError | undefined {
  return properties?.user && queueFault(properties.user);
}

function assignClientId({ version, cleanStart }: ConnectPacket, from: Services): string {
  // MQTT 3.1 (3.1) has one to 23 characters; longer ones are in common use.
  if (version === 3) throw new BrokerError('identifierInvalid', 'the client identifier is empty');
  // [MQTT-3.1.3-8]: before MQTT 5 there is no way to tell the client its identifier, so nothing could be found again.
  if (version < 5 && !cleanStart) {
    throw new BrokerError('identifierInvalid', 'an empty client identifier needs Clean Session 1 [MQTT-3.1.3-8]');
  }
  return `auto-${Buffer.from(from.clock.random(12)).toString('hex')}`;
}
