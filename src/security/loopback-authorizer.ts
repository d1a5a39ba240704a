import type { Authorizer, Credentials, Principal } from '../ports/authorizer.ts';

const ANYONE: Principal = { name: 'anonymous' };

/** Without configured credentials anyone on this machine may do everything, and nobody else may connect. */
export class LoopbackAuthorizer implements Authorizer {
  authenticate({ peer }: Credentials): Principal | 'notAuthorized' {
    return peer.loopback ? ANYONE : 'notAuthorized';
  }

  mayPublish(): boolean {
    return true;
  }

  maySubscribe(): boolean {
    return true;
  }
}
