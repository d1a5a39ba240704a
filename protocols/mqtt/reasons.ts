import type { FaultCode } from '../../src/core/errors.ts';

/** Reason codes of MQTT 5.0 (2.4) that this server uses. */
export const REASON = {
  success: 0x00,
  noMatchingSubscribers: 0x10,
  disconnectWithWill: 0x04,
  continueAuthentication: 0x18,
  reAuthenticate: 0x19,
  noSubscriptionExisted: 0x11,
  unspecified: 0x80,
  malformed: 0x81,
  protocolError: 0x82,
  packetIdentifierNotFound: 0x92,
} as const;

/** How each fault is told to an MQTT 5 client, in whichever packet fits. */
export const FAULT_REASON: Record<FaultCode, number> = {
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

/** In CONNACK, which has not all of DISCONNECT's codes (3.2.2.2): what ends a connection there keeps it from beginning here. */
export function connackReason(code: FaultCode): number {
  if (code === 'shutdown' || code === 'unavailable') return 0x88;
  return code === 'takenOver' ? REASON.unspecified : FAULT_REASON[code];
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
