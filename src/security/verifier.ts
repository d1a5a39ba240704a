import { createHash, createHmac } from 'node:crypto';
import type { Hash, KeyDerivation } from '../ports/authentication.ts';

/** What a server keeps of a password for SCRAM (RFC 5802, 3): it checks a login, and cannot be used for one. */
export interface Verifier {
  readonly hash: Hash;
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** The methods, as SASL names them, the preferred one first. */
export const METHODS = { 'SCRAM-SHA-512': 'sha512', 'SCRAM-SHA-256': 'sha256' } as const satisfies Record<string, Hash>;
export type Method = keyof typeof METHODS;

export function isMethod(text: string): text is Method {
  return Object.hasOwn(METHODS, text);
}

export const HASH_BYTES: Readonly<Record<Hash, number>> = { sha256: 32, sha512: 64 };

/** RFC 7677, 4: fewer are not enough. More than the second take minutes. */
export const LEAST_ITERATIONS = 4096;
export const MOST_ITERATIONS = 10_000_000;
export const SALT_BYTES = 16;
const LEAST_SALT_BYTES = 8;
/** Salts for names that no user has are cut from one HMAC-SHA-512. */
const MOST_SALT_BYTES = 64;

export const VERIFIER_FORM =
  'SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY (or SCRAM-SHA-512), the last three in Base64';

/** Whether a text is meant to be a verifier, and no password. */
export function looksLikeVerifier(text: string): boolean {
  return /^SCRAM-SHA-\d/.test(text);
}

/** In the form that PostgreSQL keeps them in; a string says what is wrong with it, and shows nothing of it. */
export function parseVerifier(text: string): Verifier | string {
  const [, method = '', count = '', salt = '', stored = '', server = ''] =
    /^([^$]*)\$(\d{1,9}):([^$]*)\$([^$:]*):([^$:]*)$/.exec(text) ?? [];
  if (!isMethod(method)) return `is not of the form ${VERIFIER_FORM}`;
  const hash = METHODS[method];
  const iterations = Number(count);
  if (iterations < LEAST_ITERATIONS || iterations > MOST_ITERATIONS)
    return `has ${count} iterations; ${LEAST_ITERATIONS} to ${MOST_ITERATIONS} are taken`;
  const saltBytes = fromBase64(salt);
  if (saltBytes === undefined || saltBytes.length < LEAST_SALT_BYTES || saltBytes.length > MOST_SALT_BYTES)
    return `has a salt that is not Base64 of ${LEAST_SALT_BYTES} to ${MOST_SALT_BYTES} bytes`;
  const storedKey = fromBase64(stored);
  const serverKey = fromBase64(server);
  const bytes = HASH_BYTES[hash];
  if (storedKey?.length !== bytes) return `has a StoredKey that is not Base64 of ${bytes} bytes`;
  if (serverKey?.length !== bytes) return `has a ServerKey that is not Base64 of ${bytes} bytes`;
  return { hash, iterations, salt: saltBytes, storedKey, serverKey };
}

export function formatVerifier({ hash, iterations, salt, storedKey, serverKey }: Verifier): string {
  const method = hash === 'sha256' ? 'SCRAM-SHA-256' : 'SCRAM-SHA-512';
  return `${method}$${iterations}:${toBase64(salt)}$${toBase64(storedKey)}:${toBase64(serverKey)}`;
}

/** `password` is prepared (`saslprep.ts`). */
export async function makeVerifier(
  derivation: KeyDerivation,
  password: string,
  { hash, iterations, salt }: Pick<Verifier, 'hash' | 'iterations' | 'salt'>,
): Promise<Verifier> {
  const saltedPassword = await derivation.derive(hash, password, salt, iterations);
  return { hash, iterations, salt, ...keysOf(hash, saltedPassword) };
}

/** RFC 5802, 3. */
export function keysOf(hash: Hash, saltedPassword: Uint8Array): Pick<Verifier, 'storedKey' | 'serverKey'> {
  const clientKey = hmac(hash, saltedPassword, 'Client Key');
  return { storedKey: digest(hash, clientKey), serverKey: hmac(hash, saltedPassword, 'Server Key') };
}

export function hmac(hash: Hash, key: Uint8Array, text: string): Buffer {
  return createHmac(hash, key).update(text).digest();
}

export function digest(hash: Hash, bytes: Uint8Array): Buffer {
  return createHash(hash).update(bytes).digest();
}

/** Only the one form that encoding gives (RFC 5802, 5.1, allows no other); `Buffer` alone takes anything. */
export function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return text !== '' && bytes.toString('base64') === text ? bytes : undefined;
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}
