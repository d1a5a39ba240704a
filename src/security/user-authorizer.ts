import { BrokerError } from '../core/errors.ts';
import type { KeyDerivation, Mechanisms } from '../ports/authentication.ts';
import type { Authorizer, Credentials, LoginRefusal, Principal } from '../ports/authorizer.ts';
import { BoundedDerivation, type DerivationLimits } from './key-derivation.ts';
import { ScramMechanisms } from './scram.ts';
import { checkPassword, type UserOptions, Users } from './users.ts';

/** Threads of Node's pool, which nothing else needs before the broker has started. */
const AT_START: DerivationLimits = { passwordChecks: 4, passwordChecksWaiting: Number.POSITIVE_INFINITY };
const NONCE_BYTES = 18;

/** With configured users: whoever logs in as one of them may do everything, and nobody else may connect. */
export class UserAuthorizer implements Authorizer {
  readonly mechanisms: Mechanisms;
  readonly #users: Users;
  readonly #derivation: KeyDerivation;

  constructor(options: UserOptions, limits: DerivationLimits, random: (bytes: number) => Uint8Array) {
    this.#users = new Users(options);
    this.#derivation = new BoundedDerivation(limits);
    this.mechanisms = new ScramMechanisms(this.#users, () => Buffer.from(random(NONCE_BYTES)).toString('base64'));
  }

  /** Passwords can be checked when it resolves. */
  async start(): Promise<void> {
    await this.#users.start(new BoundedDerivation(AT_START));
  }

  authenticate({ userName, password, abandoned }: Credentials): LoginRefusal | Promise<Principal | LoginRefusal> {
    if (userName === undefined || password === undefined) return 'notAuthorized';
    return this.#check(userName, password, abandoned);
  }

  async #check(userName: string, password: Uint8Array, abandoned?: () => boolean): Promise<Principal | LoginRefusal> {
    try {
      return (await checkPassword(this.#users, userName, password, this.#derivation, abandoned)) ?? 'badCredentials';
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'busy') return 'busy';
      throw error;
    }
  }

  mayPublish(): boolean {
    return true;
  }

  maySubscribe(): boolean {
    return true;
  }
}
