import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Hash, KeyDerivation } from '../ports/authentication.ts';
import type { Principal } from '../ports/authorizer.ts';
import { saslprep } from './saslprep.ts';
import {
  digest,
  HASH_BYTES,
  hmac,
  keysOf,
  looksLikeVerifier,
  METHODS,
  makeVerifier,
  parseVerifier,
  SALT_BYTES,
  type Verifier,
} from './verifier.ts';

/** As configured: the password is a text, or a verifier. */
export interface UserEntry {
  readonly name: string;
  readonly password: string;
}

export interface UserOptions {
  readonly users: readonly UserEntry[];
  /** For passwords that are given as text. */
  readonly iterations: number;
  /** Makes the salts of such passwords, and all that is shown for names that no user has. */
  readonly secret: Uint8Array;
}

interface User {
  readonly principal: Principal;
  readonly verifiers: Map<Hash, Verifier>;
}

/** What a name is checked against. */
export interface Found {
  /** undefined: no user has this name (or none with this hash), and the verifier fits no password. */
  readonly principal: Principal | undefined;
  readonly verifier: Verifier;
}

const HASHES: readonly Hash[] = Object.values(METHODS);

/**
 * The configured users. For a name that nobody has there is a verifier as well, always the same one, so that neither
 * what is answered nor how long it takes says who is a user.
 */
export class Users {
  readonly #options: UserOptions;
  readonly #byName = new Map<string, User>();
  readonly #all: User[] = [];

  constructor(options: UserOptions) {
    this.#options = options;
    for (const { name, password } of options.users) {
      const user: User = { principal: { name }, verifiers: new Map() };
      this.#all.push(user);
      this.#byName.set(saslprep(name) ?? name, user);
      if (!looksLikeVerifier(password)) continue;
      const verifier = parseVerifier(password);
      if (typeof verifier === 'string') throw new Error(`the verifier of the user ${name} ${verifier}`);
      user.verifiers.set(verifier.hash, verifier);
    }
  }

  /** Makes the verifiers of passwords that are given as text. */
  async start(derivation: KeyDerivation): Promise<void> {
    const { users, iterations } = this.#options;
    const made = users.flatMap(({ name, password }, index) => {
      const user = this.#all[index];
      if (user === undefined || looksLikeVerifier(password)) return [];
      return HASHES.map(async (hash) => {
        const salt = this.#bytes(`salt ${hash}`, saslprep(name) ?? name, SALT_BYTES);
        const prepared = saslprep(password) ?? password;
        user.verifiers.set(hash, await makeVerifier(derivation, prepared, { hash, iterations, salt }));
      });
    });
    await Promise.all(made);
  }

  /** That some user has. */
  get hashes(): readonly Hash[] {
    const plain = this.#options.users.some(({ password }) => !looksLikeVerifier(password));
    return HASHES.filter((hash) => plain || this.#all.some(({ verifiers }) => verifiers.has(hash)));
  }

  /** `hash` undefined: whichever there is. */
  find(name: string, hash?: Hash): Found {
    const prepared = saslprep(name) ?? name;
    const user = this.#byName.get(prepared);
    // Looked for in any case, so that a known name takes no less time.
    const other = this.#unknown(prepared, hash);
    const verifier = user === undefined ? undefined : pick(user, hash);
    return user === undefined || verifier === undefined
      ? { principal: undefined, verifier: other }
      : { principal: user.principal, verifier };
  }

  /** Looks like that of some user, one by name. */
  #unknown(name: string, hash: Hash | undefined): Verifier {
    const chosen = Buffer.from(this.#bytes('like', name, 6)).readUIntBE(0, 6) % Math.max(1, this.#all.length);
    const like = this.#all[chosen];
    const model = like === undefined ? undefined : (pick(like, hash) ?? pick(like, undefined));
    const used = hash ?? model?.hash ?? 'sha256';
    return {
      hash: used,
      iterations: model?.iterations ?? this.#options.iterations,
      salt: this.#bytes(`salt ${used}`, name, model?.salt.length ?? SALT_BYTES),
      storedKey: this.#bytes('stored', name, HASH_BYTES[used]),
      serverKey: this.#bytes('server', name, HASH_BYTES[used]),
    };
  }

  #bytes(what: string, name: string, count: number): Uint8Array {
    return createHmac('sha512', this.#options.secret).update(`${what}\0${name}`).digest().subarray(0, count);
  }
}

function pick({ verifiers }: User, hash: Hash | undefined): Verifier | undefined {
  // SHA-256 takes half the time.
  return hash === undefined ? (verifiers.get('sha256') ?? verifiers.get('sha512')) : verifiers.get(hash);
}

/** A password that came as such: whose it is, or undefined. */
export async function checkPassword(
  users: Users,
  name: string,
  password: Uint8Array,
  derivation: KeyDerivation,
  abandoned?: () => boolean,
): Promise<Principal | undefined> {
  const text = decode(password);
  const prepared = text === undefined ? undefined : saslprep(text);
  // Says nothing of the name.
  if (prepared === undefined) return undefined;
  const { principal, verifier } = users.find(name);
  const { hash, salt, iterations } = verifier;
  const { storedKey } = keysOf(hash, await derivation.derive(hash, prepared, salt, iterations, abandoned));
  return timingSafeEqual(storedKey, verifier.storedKey) ? principal : undefined;
}

/** The client's proof (RFC 5802, 3): ClientProof XOR ClientSignature is a ClientKey, whose hash is the StoredKey. */
export function provesKey({ hash, storedKey }: Verifier, authMessage: string, proof: Uint8Array): boolean {
  const signature = hmac(hash, storedKey, authMessage);
  const clientKey = Buffer.from(signature);
  for (const [i, byte] of proof.entries()) clientKey[i] = (clientKey[i] ?? 0) ^ byte;
  return timingSafeEqual(digest(hash, clientKey), storedKey);
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
