import { pbkdf2 } from 'node:crypto';
import { BrokerError } from '../core/errors.ts';
import { Fifo } from '../core/fifo.ts';
import type { Hash, KeyDerivation } from '../ports/authentication.ts';
import { HASH_BYTES } from './verifier.ts';

export interface DerivationLimits {
  /** At the same time; they share Node's thread pool with the store's writes. */
  readonly passwordChecks: number;
  /** That wait for those; more are refused. */
  readonly passwordChecksWaiting: number;
}

/** Off the event loop, a few at a time, in the order they came. */
export class BoundedDerivation implements KeyDerivation {
  readonly #limits: DerivationLimits;
  /** Each says whether it has begun. */
  readonly #waiting = new Fifo<() => boolean>();
  #running = 0;

  constructor(limits: DerivationLimits) {
    this.#limits = limits;
  }

  derive(
    hash: Hash,
    password: string,
    salt: Uint8Array,
    iterations: number,
    abandoned: () => boolean = never,
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const start = (): boolean => {
        // Else who connects and closes again would have others wait for it.
        if (abandoned()) {
          reject(new BrokerError('busy', 'the connection ended before its password was checked'));
          return false;
        }
        this.#running++;
        pbkdf2(password, salt, iterations, HASH_BYTES[hash], hash, (error, key) => {
          this.#running--;
          while (this.#waiting.shift()?.() === false);
          if (error === null) resolve(key);
          else reject(error);
        });
        return true;
      };
      const { passwordChecks, passwordChecksWaiting } = this.#limits;
      if (this.#running < passwordChecks) start();
      else if (this.#waiting.size < passwordChecksWaiting) this.#waiting.push(start);
      else reject(new BrokerError('busy', 'too many logins are waiting to be checked (limits.passwordChecksWaiting)'));
    });
  }
}

function never(): boolean {
  return false;
}
