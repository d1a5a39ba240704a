/** The configuration's section `backbone.nats`, and what of `backbone` applies to every store. */
export interface JetStreamOptions {
  readonly servers: readonly string[];
  /** First token of all subjects, and of the names of streams. */
  readonly prefix: string;
  readonly replicas: number;
  /** Empty for none, as are `token`, `credentials` and the files of `tls`. */
  readonly user: string;
  readonly password: string;
  readonly token: string;
  readonly credentials: string;
  readonly tls: { readonly ca: string; readonly certificate: string; readonly key: string };
  readonly holdSeconds: number;
  readonly leaseSeconds: number;
  readonly pendingBytes: number;
  readonly retention: { readonly bytes: number; readonly seconds: number };
  readonly dedup: { readonly seconds: number; readonly messages: number };
}
