import type { Server } from 'node:net';

/** A listener could not be opened; says which and what to do. */
export class ListenError extends Error {
  readonly code: string;

  constructor(code: string, message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'ListenError';
    this.code = code;
  }
}

export interface ListenAddress {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

/** Binds the server; resolves with the address it got. `key` is the configuration key of the listener. */
export function listen(server: Server, { host, port }: ListenAddress, key: string): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      reject(new ListenError(error.code ?? 'UNKNOWN', explain(error, host, port, key), error));
    };
    server.once('error', failed);
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off('error', failed);
      const address = server.address();
      resolve({ host, port: typeof address === 'object' && address !== null ? address.port : port });
    });
  });
}

/** Connections that may wait to be accepted: a fleet of devices returns at once after an outage. */
const BACKLOG = 4096;

function explain(error: NodeJS.ErrnoException, host: string, port: number, key: string): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `port ${port} on ${host} is in use (${key}.port): stop the other program or choose another port; 0 picks a free one`;
    case 'EACCES':
      return `this user may not listen on port ${port} (${key}.port): choose one above 1023`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is not an address of this machine (${key}.host)`;
    default:
      return `cannot listen on ${host} port ${port} (${key}): ${error.message}`;
  }
}
