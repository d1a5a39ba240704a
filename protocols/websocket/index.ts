import type { Channel, Protocol } from '../../src/ports/protocol.ts';
import type { Services } from '../../src/ports/routing.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { JsonChannel } from './channel.ts';
import { MessageEncoder } from './encoder.ts';
import { SUBPROTOCOL } from './requests.ts';

/** The JSON protocol for browsers, `trimaran.v1`: one text message, one JSON object. See README.md. */
export function createWebSocket(services: Services): Protocol {
  const encoder = new MessageEncoder();
  return {
    name: 'websocket',
    webSocket: {
      path: '/ws',
      subprotocols: [SUBPROTOCOL],
      subprotocolRequired: false,
      accepts: 'text',
      framing: 'frame',
    },
    open(connection: Connection): Channel {
      return new JsonChannel(services, connection, encoder);
    },
  };
}
