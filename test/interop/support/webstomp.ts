import webstomp, { type Client as WebStompClient } from 'webstomp-client';
import { WebSocket } from 'ws';
import type { Address } from '../../../src/broker.ts';
import { CallbackPeer, commonOf, type Library } from './callback-peer.ts';
import type { Client, Terms } from './stomp-peer.ts';

/** The npm package `webstomp-client`, over the WebSocket of `ws`. */

interface Choice {
  readonly binary?: boolean;
  /** As offered in the WebSocket handshake, which is where it takes its version from. */
  readonly protocols?: readonly string[];
}

const ALL = ['v10.stomp', 'v11.stomp', 'v12.stomp'];

export async function connectWebStomp(
  { host, port }: Address,
  terms: Terms,
  choice: Choice = {},
): Promise<CallbackPeer> {
  const protocols = [...(choice.protocols ?? [`v${terms.version.replace('.', '')}.stomp`])];
  const [outgoing, incoming] = terms.heartBeat ?? [0, 0];
  const client = webstomp.over(new WebSocket(`ws://${host}:${port}/stomp`, protocols), {
    debug: false,
    binary: choice.binary ?? false,
    heartbeat: { outgoing, incoming },
  });
  return CallbackPeer.connect(libraryOf(client), terms);
}

/** By what is agreed where both offer all they have. */
export function connectBest(address: Address): Promise<CallbackPeer> {
  return connectWebStomp(address, { version: '' }, { protocols: ALL });
}

function libraryOf(client: WebStompClient): Library {
  return {
    connect: (headers, connected, failed) =>
      client.connect({ ...headers }, (frame) => connected(frame ?? { headers: {}, body: '' }), failed),
    disconnect: () => client.disconnect(),
    send: (destination, body, headers) => client.send(destination, body, { ...headers }),
    subscribe: (destination, receive, headers) => client.subscribe(destination, receive, { ...headers }).unsubscribe,
    ...commonOf(client),
  };
}

export function webStomp(name: string, choice: Choice = {}): Client {
  return {
    name,
    versions: choice.binary ? ['1.2'] : ['1.0', '1.1', '1.2'],
    beats: ['1.1', '1.2'],
    nacks: ['1.0', '1.1', '1.2'],
    waits: false,
    readsPieces: true,
    transport: 'http',
    connect: (address, terms) => connectWebStomp(address, terms, choice),
    end: async () => {},
  };
}
