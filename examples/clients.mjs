// The three kinds of clients the examples use. MQTT and STOMP are libraries that everybody knows; JSON over WebSocket needs
// none: in a browser, `new WebSocket(url)` and these lines are all there is to it.
import { Client as StompClient } from '@stomp/stompjs';
import mqtt from 'mqtt';
import { WebSocket } from 'ws';

/** MQTT 5 (https://github.com/mqttjs/MQTT.js). */
export function connectMqtt({ mqtt: url }, options = {}) {
  return mqtt.connectAsync(url, { protocolVersion: 5, ...options });
}

/** STOMP 1.2 (https://github.com/stomp-js/stompjs), over WebSocket. */
export function connectStomp({ ws: url }) {
  return new Promise((resolve, reject) => {
    const client = new StompClient({
      webSocketFactory: () => new WebSocket(`${url}/stomp`, 'v12.stomp'),
      reconnectDelay: 0,
      onConnect: () => resolve(client),
      onStompError: (frame) => reject(new Error(`${frame.headers.message}: ${frame.body}`)),
      onWebSocketError: reject,
    });
    client.activate();
  });
}

/** JSON over WebSocket: `send` for what needs no answer, `ask` for what has one, `onMessage` for what comes. */
export function connectJson({ ws: url }, onMessage = () => {}) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url}/ws`, 'trimaran.v1');
    const asked = new Map();
    let lastId = 0;
    const client = {
      send: (request) => socket.send(JSON.stringify(request)),
      ask: (request) =>
        new Promise((answered, refused) => {
          const id = ++lastId;
          asked.set(id, { answered, refused });
          client.send({ ...request, id });
        }),
      close: () => socket.close(),
    };
    socket.onopen = () => client.send({ type: 'hello' });
    socket.onerror = reject;
    socket.onmessage = ({ data }) => {
      const answer = JSON.parse(data);
      if (answer.type === 'hello') return resolve(client);
      if (answer.id === undefined) return onMessage(answer, client);
      const { answered, refused } = asked.get(answer.id);
      asked.delete(answer.id);
      if (answer.type === 'error') refused(new Error(`${answer.code}: ${answer.message}`));
      else answered(answer);
    };
  });
}

/** Collects what comes, until so many have. */
export function collector(count) {
  const items = [];
  let full;
  const all = new Promise((resolve) => {
    full = resolve;
  });
  return {
    items,
    all,
    add(item) {
      items.push(item);
      if (items.length === count) full(items);
    },
  };
}

export function check(truth, what) {
  if (!truth) throw new Error(`It is not as it should be: ${what}`);
}
