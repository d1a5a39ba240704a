/**
 * Every way a peer's request can fail, in one table. Each protocol maps a code to its own answer (MQTT reason code,
 * STOMP ERROR, JSON error); `closes` says whether the connection can go on after it.
 */
export const FAULTS = {
  malformed: { closes: true, text: 'the bytes are not a frame of this protocol' },
  protocol: { closes: true, text: 'the frame is not allowed here' },
  tooLarge: { closes: true, text: 'larger than this server takes' },
  unsupportedVersion: { closes: true, text: 'no protocol version in common' },
  identifierInvalid: { closes: true, text: 'the client identifier is not accepted' },
  badCredentials: { closes: true, text: 'wrong user name or password' },
  unsupportedAuthentication: { closes: true, text: 'this authentication method is not offered' },
  notAuthorized: { closes: false, text: 'not authorized' },
  topicInvalid: { closes: false, text: 'not a topic this server takes' },
  filterInvalid: { closes: false, text: 'not a topic filter this server takes' },
  fieldInvalid: { closes: false, text: 'a field has a value that is not taken' },
  notFound: { closes: false, text: 'there is no such thing' },
  aliasInvalid: { closes: true, text: 'not a topic alias of this connection' },
  qosUnsupported: { closes: true, text: 'a QoS that is not offered by this server' },
  retainUnsupported: { closes: true, text: 'messages are not retained by this server' },
  wildcardUnsupported: { closes: false, text: 'wildcards are not offered by this server' },
  identifiersUnsupported: { closes: true, text: 'subscription identifiers are not offered by this server' },
  sharedUnsupported: { closes: false, text: 'shared subscriptions are not offered by this server' },
  unsupported: { closes: false, text: 'not offered by this server' },
  quota: { closes: false, text: 'a quota is used up' },
  busy: { closes: true, text: 'the server has no room for another connection' },
  unavailable: { closes: false, text: 'the store does not take messages now' },
  windowExceeded: { closes: true, text: 'more unacknowledged messages than agreed' },
  payloadInvalid: { closes: false, text: 'the payload is not of the declared format' },
  timeout: { closes: true, text: 'nothing was heard for too long' },
  slowReader: { closes: true, text: 'the peer does not read what is sent to it' },
  takenOver: { closes: true, text: 'another connection uses this client identifier' },
  administrative: { closes: true, text: 'an operator has ended the connection' },
  shutdown: { closes: true, text: 'the server is shutting down' },
  internal: { closes: true, text: 'an error of this server' },
} as const satisfies Record<string, { closes: boolean; text: string }>;

export type FaultCode = keyof typeof FAULTS;

/** A request that failed: what code, and in words what was wrong with which field and what was expected. */
export class BrokerError extends Error {
  readonly code: FaultCode;

  constructor(code: FaultCode, detail?: string) {
    super(detail ?? FAULTS[code].text);
    this.name = 'BrokerError';
    this.code = code;
  }
}

/** What is not one is an error of ours. */
export function asBrokerError(error: unknown): BrokerError {
  return error instanceof BrokerError ? error : new BrokerError('internal', String(error));
}
