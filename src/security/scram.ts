import { isUtf8 } from 'node:buffer';
import type { Conversation, Mechanisms, Step } from '../ports/authentication.ts';
import { saslprep } from './saslprep.ts';
import { type ClientFirst, parseClientFinal, parseClientFirst, ScramFault } from './scram-messages.ts';
import { type Found, provesKey, type Users } from './users.ts';
import { hmac, isMethod, METHODS, type Method, toBase64, type Verifier } from './verifier.ts';

/** SCRAM (RFC 5802) with SHA-256 (RFC 7677) and SHA-512, without channel binding. */
export class ScramMechanisms implements Mechanisms {
  readonly names: readonly Method[];
  readonly #users: Users;
  readonly #nonce: () => string;

  /** `nonce`: unpredictable printable ASCII without commas, another each time. */
  constructor(users: Users, nonce: () => string) {
    this.#users = users;
    this.#nonce = nonce;
    const { hashes } = users;
    this.names = Object.keys(METHODS)
      .filter((name) => isMethod(name) && hashes.includes(METHODS[name]))
      .filter(isMethod);
  }

  begin(name: string): Conversation | undefined {
    if (!isMethod(name) || !this.names.includes(name)) return undefined;
    return new ScramConversation(name, this.#users, this.#nonce);
  }
}

const NOTHING = new Uint8Array(0);

interface Challenged {
  readonly first: ClientFirst;
  readonly found: Found;
  readonly nonce: string;
  readonly serverFirst: string;
}

/**
 * - `asked`: nothing has come but a request to begin, which was answered by an empty challenge (RFC 4422, 5).
 * - `challenged`: the client's name is known, its proof is awaited.
 */
type State = 'new' | 'asked' | Challenged | 'over';

class ScramConversation implements Conversation {
  readonly #method: Method;
  readonly #users: Users;
  readonly #nonce: () => string;
  #state: State = 'new';

  constructor(method: Method, users: Users, nonce: () => string) {
    this.#method = method;
    this.#users = users;
    this.#nonce = nonce;
  }

  async respond(data: Uint8Array = NOTHING): Promise<Step> {
    const state = this.#state;
    this.#state = 'over';
    try {
      if (state === 'over') throw new ScramFault('the exchange is over');
      if (state === 'new' && data.length === 0) {
        this.#state = 'asked';
        return { kind: 'challenge', data: NOTHING };
      }
      if (!isUtf8(data)) throw new ScramFault('the data is not UTF-8');
      const text = Buffer.from(data).toString('utf8');
      if (state === 'new' || state === 'asked') return this.#first(text);
      return finish(state, text);
    } catch (error) {
      if (!(error instanceof ScramFault)) throw error;
      return { kind: 'refused', code: 'notAuthorized', text: `${this.#method}: ${error.message}` };
    }
  }

  #first(text: string): Step {
    const first = parseClientFirst(text);
    const { name, authorizationName } = first;
    if (authorizationName !== '' && prepared(authorizationName) !== prepared(name))
      throw new ScramFault('no user may act for another one (authorization identity)');
    const found = this.#users.find(name, METHODS[this.#method]);
    const { salt, iterations } = found.verifier;
    const nonce = first.nonce + this.#nonce();
    const serverFirst = `r=${nonce},s=${toBase64(salt)},i=${iterations}`;
    this.#state = { first, found, nonce, serverFirst };
    return { kind: 'challenge', data: Buffer.from(serverFirst) };
  }
}

function prepared(name: string): string {
  return saslprep(name) ?? name;
}

function finish({ first, found, nonce, serverFirst }: Challenged, text: string): Step {
  const final = parseClientFinal(text);
  if (final.gs2Header !== Buffer.from(first.gs2Header).toString('latin1'))
    throw new ScramFault('c= does not repeat the beginning of the first message');
  if (final.nonce !== nonce) throw new ScramFault('r= is not the nonce of the server');
  const { principal, verifier } = found;
  const authMessage = `${first.bare},${serverFirst},${final.withoutProof}`;
  // Both are found out in any case.
  const proven = proves(verifier, authMessage, final.proof);
  if (!proven || principal === undefined)
    return { kind: 'refused', code: 'badCredentials', text: 'wrong user name or password' };
  const signature = hmac(verifier.hash, verifier.serverKey, authMessage);
  return { kind: 'proven', principal, data: Buffer.from(`v=${toBase64(signature)}`) };
}

function proves(verifier: Verifier, authMessage: string, proof: Uint8Array): boolean {
  if (proof.length !== verifier.storedKey.length) throw new ScramFault('p= has not the length of the hash');
  return provesKey(verifier, authMessage, proof);
}
