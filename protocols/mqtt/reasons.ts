import type { FaultCode } from '../../src/core/errors.ts';

/** Reason codes of MQTT 5.0 (2.4) that this server uses. */
export const REASON = {
  success: 0x00,
  noMatchingSubscribers: 0x10,
  noSubscriptionExisted: 0x11,
  continueAuthentication: 0x18,
  reAuthenticate: 0x19,
  unspecified: 0x80,
  packetIdentifierNotFound: 0x92,
} as const;

/** How each fault is told to an MQTT 5 client, in whichever packet has the code. */
const FAULT_REASON: Record<FaultCode, number> = {
  malformed: 0x81,
  protocol: 0x82,
  tooLarge: 0x95,
  unsupportedVersion: 0x84,
  identifierInvalid: 0x85,
  badCredentials: 0x86,
  unsupportedAuthentication: 0x8c,
  notAuthorized: 0x87,
  topicInvalid: 0x90,
  filterInvalid: 0x8f,
  fieldInvalid: 0x83,
  notFound: 0x83,
  aliasInvalid: 0x94,
  qosUnsupported: 0x9b,
  retainUnsupported: 0x9a,
  wildcardUnsupported: 0xa2,
  identifiersUnsupported: 0xa1,
  sharedUnsupported: 0x9e,
  unsupported: 0x83,
  quota: 0x97,
  busy: 0x89,
  unavailable: 0x97,
  windowExceeded: 0x93,
  payloadInvalid: 0x99,
  timeout: 0x8d,
  slowReader: 0x97,
  takenOver: 0x8e,
  administrative: 0x98,
  shutdown: 0x8b,
  internal: 0x80,
};

/** Packets in which a fault is told; PUBACK and PUBREC have the same codes. */
export type Told = 'connack' | 'publish' | 'subscribe' | 'disconnect';

/** Codes of 0x80 and above that a server may send in each (3.2.2.2, 3.4.2.1, 3.5.2.1, 3.9.3, 3.14.2.1). */
const ALLOWED: Record<Told, ReadonlySet<number>> = {
  connack: codes('80 81 82 83 84 85 86 87 88 89 8a 8c 90 95 97 99 9a 9b 9c 9d 9f'),
  publish: codes('80 83 87 90 91 97 99'),
  subscribe: codes('80 83 87 8f 91 97 9e a1 a2'),
  disconnect: codes('80 81 82 83 87 89 8b 8c 8d 8e 8f 90 93 94 95 96 97 98 99 9a 9b 9c 9d 9e 9f a0 a1 a2'),
};

/** What comes nearest where the fault's own code is not one of the packet's; without it, 0x80. */
const INSTEAD: Record<Told, Partial<Record<FaultCode, number>>> = {
  // What ends a connection elsewhere keeps it from beginning here.
  connack: { shutdown: 0x88, unavailable: 0x88 },
  publish: { tooLarge: 0x97, shutdown: 0x97 },
  subscribe: { tooLarge: 0x97, shutdown: 0x97, topicInvalid: 0x8f },
  disconnect: { badCredentials: 0x87 },
};

/** The reason code of a fault in this packet. */
export function reasonIn(packet: Told, code: FaultCode): number {
  const reason = INSTEAD[packet][code] ?? FAULT_REASON[code];
  return ALLOWED[packet].has(reason) ? reason : REASON.unspecified;
}

function codes(list: string): ReadonlySet<number> {
  return new Set(list.split(' ').map((each) => Number.parseInt(each, 16)));
}

/** CONNACK return codes of MQTT 3.1 and 3.1.1 (3.2.2.3); undefined: closed without one. */
export const CONNACK_V3: Partial<Record<FaultCode, number>> = {
  unsupportedVersion: 0x01,
  identifierInvalid: 0x02,
  busy: 0x03,
  unavailable: 0x03,
  shutdown: 0x03,
  badCredentials: 0x04,
  notAuthorized: 0x05,
};

/** SUBACK's only failure code before MQTT 5. */
export const SUBACK_FAILURE_V3 = 0x80;
