import type { Credentials, Principal } from '../../../../src/ports/authorizer.ts';

/** Lets everybody in, and shows who it was: `NAME/PASSWORD`, `-` for what was not said. */
export class Logins {
  readonly seen: string[] = [];

  readonly authenticate = ({ userName = '-', password }: Credentials): Principal => {
    this.seen.push(`${userName}/${password === undefined ? '-' : Buffer.from(password)}`);
    return { name: userName };
  };
}
