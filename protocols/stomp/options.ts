/** What is configured for STOMP alone: the section `stomp`. */
export interface StompOptions {
  /** A first frame that is not CONNECT logs its connection in, by the rules of 1.0; no CONNECTED is sent. */
  readonly implicitConnect: boolean;
  /** Who a login with neither name nor password is; an empty name: nobody. */
  readonly defaultUser: { readonly name: string; readonly password: string };
  /**
   * How long a client is silent within an open transaction until it is told of its frames by the receipts it asked for, though
   * these have no effect before COMMIT, milliseconds; 0: it is not.
   */
  readonly heldReceiptMilliseconds: number;
}
