import { FAULTS } from '../../src/core/errors.ts';
import type { LoginRefusal, Principal } from '../../src/ports/authorizer.ts';
import type { Peer } from '../../src/ports/transport.ts';
import type { Frame } from './frame.ts';
import { type HeartBeatOffer, readHeartBeat } from './heart-beat.ts';
import { Refusal } from './refusal.ts';
import type { StompServer } from './server.ts';
import { negotiate, VERSION, VERSION_NAMES, type Version } from './version.ts';

/** What a CONNECT was accepted with. */
export interface Login {
  readonly version: Version;
  readonly clientId: string;
  /** The client chose its id itself. */
  readonly named: boolean;
  readonly principal: Principal;
  readonly heartBeat: HeartBeatOffer;
  /** What the client calls its CONNECT, for clients written for ActiveMQ. */
  readonly requestId: string | undefined;
  /** Name of this connection's session, unguessable: it begins the ids of its messages. */
  readonly session: string;
}

/** What a CONNECT says. */
interface Asked {
  readonly version: Version;
  readonly heartBeat: HeartBeatOffer;
  readonly requestId: string | undefined;
  /** Empty: the server makes one. */
  readonly clientId: string;
  readonly login: string | undefined;
  readonly passcode: string | undefined;
}

/**
 * Checks a CONNECT and settles its terms; throws a Refusal, or rejects with it. The frame is read during the call. Any
 * `host` is taken, as there is one virtual host, also none (1.0 has no such header, and clients of later versions forget it).
 */
export function login(frame: Frame, peer: Peer, server: StompServer): Login | Promise<Login> {
  return admitted(read(frame, server), peer, server);
}

/** A connection that begins with another frame, where that is allowed: as after the empty CONNECT of STOMP 1.0. */
export function implicitLogin(peer: Peer, server: StompServer): Login | Promise<Login> {
  const heartBeat = readHeartBeat(undefined);
  const none = { requestId: undefined, clientId: '', login: undefined, passcode: undefined };
  return admitted({ version: VERSION.v10, heartBeat, ...none }, peer, server);
}

function read(frame: Frame, { services: { limits } }: StompServer): Asked {
  const accepted = frame.find('accept-version');
  const version = negotiate(accepted);
  if (version === undefined) {
    // RabbitMQ's sentence, which its applications know; the specification's own example says no more.
    throw new Refusal('unsupportedVersion', `Supported versions are ${VERSION_NAMES.join(',')}`);
  }
  // 1.0 does not count space around values, but the version is not known before all headers are read.
  const text = (name: string): string | undefined => {
    const value = frame.find(name);
    return version === VERSION.v10 ? value?.trim() : value;
  };
  const heartBeat = version === VERSION.v10 ? readHeartBeat(undefined) : readHeartBeat(text('heart-beat'));
  const clientId = text('client-id') ?? '';
  if (Buffer.byteLength(clientId) > limits.clientIdBytes) {
    const detail = `the header client-id has more than ${limits.clientIdBytes} bytes (limits.clientIdBytes)`;
    throw new Refusal('identifierInvalid', detail, 'Choose a shorter one.');
  }
  const requestId = text('request-id');
  return { version, heartBeat, requestId, clientId, login: text('login'), passcode: text('passcode') };
}

function admitted(asked: Asked, peer: Peer, { services, options }: StompServer): Login | Promise<Login> {
  const { authorizer, clock } = services;
  const { version, heartBeat, requestId } = asked;
  const named = asked.clientId !== '';
  const clientId = named ? asked.clientId : `stomp-${Buffer.from(clock.random(9)).toString('hex')}`;
  let { login: userName, passcode } = asked;
  // Not one of them alone: nobody is to be let in by a password that somebody else has configured.
  if (userName === undefined && passcode === undefined && options.defaultUser.name !== '') {
    userName = options.defaultUser.name;
    passcode = options.defaultUser.password;
  }
  const verdict = authorizer.authenticate({
    peer,
    protocol: 'stomp',
    clientId,
    userName,
    password: passcode === undefined ? undefined : Buffer.from(passcode, 'utf8'),
  });
  const accept = (found: Principal | LoginRefusal): Login => {
    if (typeof found === 'string') throw refused(found);
    const session = Buffer.from(clock.random(8)).toString('hex');
    return { version, clientId, named, principal: found, heartBeat, requestId, session };
  };
  return verdict instanceof Promise ? verdict.then(accept) : accept(verdict);
}

function refused(code: LoginRefusal): Refusal {
  const hint = code === 'busy' ? 'Try again later.' : 'They are expected in the headers login and passcode of CONNECT.';
  return new Refusal(code, FAULTS[code].text, hint);
}
