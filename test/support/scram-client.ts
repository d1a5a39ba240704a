import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

/** The client's side of SCRAM, written from RFC 5802, and sharing no code with the broker. */

export type ScramMethod = 'SCRAM-SHA-256' | 'SCRAM-SHA-512';

export class ScramClient {
  readonly method: ScramMethod;
  readonly #hash: 'sha256' | 'sha512';
  readonly #name: string;
  readonly #password: string;
  readonly #header: string;
  readonly #nonce: string;
  #signature = '';

  constructor(
    method: ScramMethod,
    name: string,
    password: string,
    { header = 'n,,', nonce = randomBytes(12).toString('base64') }: { header?: string; nonce?: string } = {},
  ) {
    this.method = method;
    this.#hash = method === 'SCRAM-SHA-256' ? 'sha256' : 'sha512';
    this.#name = name.replaceAll('=', '=3D').replaceAll(',', '=2C');
    this.#password = password;
    this.#header = header;
    this.#nonce = nonce;
  }

  first(): Buffer {
    return Buffer.from(`${this.#header}${this.#bare()}`);
  }

  /** The client-final-message. `change`: makes another one of it before the proof is made. */
  final(serverFirst: Uint8Array | undefined, change: (withoutProof: string) => string = (text) => text): Buffer {
    const text = Buffer.from(serverFirst ?? []).toString();
    const [, nonce = '', salt = '', iterations = ''] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(text) ?? [];
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce) throw new Error(`no server-first-message: ${text}`);
    const bytes = this.#hash === 'sha256' ? 32 : 64;
    const salted = pbkdf2Sync(this.#password, Buffer.from(salt, 'base64'), Number(iterations), bytes, this.#hash);
    const clientKey = this.#hmac(salted, 'Client Key');
    const storedKey = createHash(this.#hash).update(clientKey).digest();
    const withoutProof = change(`c=${Buffer.from(this.#header).toString('base64')},r=${nonce}`);
    const auth = `${this.#bare()},${text},${withoutProof}`;
    const signature = this.#hmac(storedKey, auth);
    const proof = clientKey.map((byte, i) => byte ^ (signature[i] ?? 0));
    this.#signature = this.#hmac(this.#hmac(salted, 'Server Key'), auth).toString('base64');
    return Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`);
  }

  /** Whether the server-final-message is from one who knows the verifier. */
  verifies(serverFinal: Uint8Array | undefined): boolean {
    return Buffer.from(serverFinal ?? []).toString() === `v=${this.#signature}`;
  }

  #bare(): string {
    return `n=${this.#name},r=${this.#nonce}`;
  }

  #hmac(key: Uint8Array, text: string): Buffer {
    return createHmac(this.#hash, key).update(text).digest();
  }
}
