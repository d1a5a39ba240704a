import type { Protocol } from '../../src/ports/protocol.ts';
import type { Services } from '../../src/ports/routing.ts';
import { StompChannel } from './channel.ts';
import type { StompOptions } from './options.ts';
import { StompServer } from './server.ts';

/** STOMP 1.0, 1.1 and 1.2. */
export function createStomp(services: Services, options: StompOptions): Protocol {
  const server = new StompServer(services, options);
  return {
    name: 'stomp',
    webSocket: {
      path: '/stomp',
      // The last one is ActiveMQ's own name.
      subprotocols: ['v12.stomp', 'v11.stomp', 'v10.stomp', 'stomp'],
      // Legacy clients offer none.
      subprotocolRequired: false,
      accepts: 'any',
      // Legacy clients parse each WebSocket message by itself.
      framing: 'frame',
    },
    open: (connection) => new StompChannel(server, connection),
  };
}
