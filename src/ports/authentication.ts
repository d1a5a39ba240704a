import type { Caller, LoginRefusal, Principal } from './authorizer.ts';

/** Logging in by challenges and responses (SASL, RFC 4422), whatever the protocol carries them in. */
export interface Mechanisms {
  /** As clients name them, the preferred one first. */
  readonly names: readonly string[];
  /** undefined: it is not offered. */
  begin(name: string, caller: Caller): Conversation | undefined;
}

/** One attempt of one client to prove who it is. */
export interface Conversation {
  /**
   * The client's next response; undefined where it sent none. One at a time: the step before has resolved. Never rejects
   * for what a client sends.
   */
  respond(data: Uint8Array | undefined): Promise<Step>;
}

export type Step =
  /** The client is to respond to this, which may be empty. */
  | { readonly kind: 'challenge'; readonly data: Uint8Array }
  /** `data` proves the server to the client; it may be empty. */
  | { readonly kind: 'proven'; readonly principal: Principal; readonly data: Uint8Array }
  | { readonly kind: 'refused'; readonly code: LoginRefusal; readonly text: string };

export type Hash = 'sha256' | 'sha512';

/** What makes a key of a password, and is meant to take time. */
export interface KeyDerivation {
  /**
   * PBKDF2 (RFC 8018). Rejects with a BrokerError `busy` when too many wait for it, or when its turn comes and nobody wants
   * it any more.
   */
  derive(
    hash: Hash,
    password: string,
    salt: Uint8Array,
    iterations: number,
    abandoned?: () => boolean,
  ): Promise<Uint8Array>;
}
