import type { Protocol } from '../../src/ports/protocol.ts';
import type { Services } from '../../src/ports/routing.ts';
import type { Capabilities } from './capabilities.ts';
import { MqttChannel } from './channel.ts';
import { MqttServer } from './server.ts';

/** MQTT 3.1, 3.1.1 and 5.0. */
export function createMqtt(services: Services, capabilities: Capabilities): Protocol {
  const server = new MqttServer(services, capabilities);
  return {
    name: 'mqtt',
    webSocket: {
      path: '/mqtt',
      // `mqttv3.1` is what MQTT 3.1 clients offer.
      subprotocols: ['mqtt', 'mqttv3.1'],
      // [MQTT-6.0.0-3] makes it the client's duty; clients that forget it are common.
      subprotocolRequired: false,
      accepts: 'binary',
      framing: 'stream',
    },
    open: (connection) => new MqttChannel(server, connection),
  };
}
