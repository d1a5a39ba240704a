import { FAULTS } from '../../src/core/errors.ts';
import type { LoginRefusal, Principal } from '../../src/ports/authorizer.ts';
import type { Services } from '../../src/ports/routing.ts';
import type { Peer } from '../../src/ports/transport.ts';
import type { Frame } from './frame.ts';
import { type HeartBeatOffer, readHeartBeat } from './heart-beat.ts';
import { Refusal, shown } from './refusal.ts';
import { negotiate, VERSION, VERSION_NAMES, type Version } from './version.ts';

/** What a CONNECT was accepted with. */
export interface Login {
  readonly version: Version;
  readonly clientId: string;
  /** The client chose its id itself. */
  readonly named: boolean;
  readonly principal: Principal;
  readonly heartBeat: HeartBeatOffer;
  /** Name of this connection's session, unguessable: it begins the ids of its messages. */
  readonly session: string;
}

/**
 * Checks a CONNECT and settles its terms; throws a Refusal, or rejects with it. The frame is read during the call. Any `host` is taken, as there is one virtual host, also none
 * (1.0 has no such header, and clients of later versions forget it).
 */
export function login(frame: Frame, peer: Peer, services: Services): Login | Promise<Login> {
  const { authorizer, clock, limits } = services;
  const accepted = frame.find('accept-version');
  const version = negotiate(accepted);
  if (version === undefined) {
    throw new Refusal(
      'unsupportedVersion',
      `the header accept-version ${shown(accepted ?? '')} names no version that this server speaks`,
      `These are ${VERSION_NAMES.join(', ')}.`,
    );
  }
  // 1.0 does not count space around values, but the version is not known before all headers are read.
  const read = (name: string): string | undefined => {
    const text = frame.find(name);
    return version === VERSION.v10 ? text?.trim() : text;
  };
  const heartBeat = version === VERSION.v10 ? readHeartBeat(undefined) : readHeartBeat(read('heart-beat'));
  const named = read('client-id') ?? '';
  if (Buffer.byteLength(named) > limits.clientIdBytes) {
    const detail = `the header client-id has more than ${limits.clientIdBytes} bytes (limits.clientIdBytes)`;
    throw new Refusal('identifierInvalid', detail, 'Choose a shorter one.');
  }
  const clientId = named === '' ? `stomp-${Buffer.from(clock.random(9)).toString('hex')}` : named;
  const passcode = read('passcode');
  const verdict = authorizer.authenticate({
    peer,
    protocol: 'stomp',
    clientId,
    userName: read('login'),
    password: passcode === undefined ? undefined : Buffer.from(passcode, 'utf8'),
  });
  const accept = (found: Principal | LoginRefusal): Login => {
    if (typeof found === 'string') throw refused(found);
    const session = Buffer.from(clock.random(8)).toString('hex');
    return { version, clientId, named: named !== '', principal: found, heartBeat, session };
  };
  return verdict instanceof Promise ? verdict.then(accept) : accept(verdict);
}

function refused(code: LoginRefusal): Refusal {
  const hint = code === 'busy' ? 'Try again later.' : 'They are expected in the headers login and passcode of CONNECT.';
  return new Refusal(code, FAULTS[code].text, hint);
}
