import type { Client as LegacyClient } from 'stompjs';
import stompjs from 'stompjs';
import { WebSocket } from 'ws';
import type { Address } from '../../../src/broker.ts';
import { CallbackPeer, commonOf, type Library } from './callback-peer.ts';
import type { Client, Terms } from './stomp-peer.ts';

/**
 * The npm package `stompjs`: over WebSocket as in a browser, with `ws` for the browser's WebSocket; over TCP by its own wrapper of
 * node:net. Its `overWS` is not used: it takes the package `websocket`, of which the native parts (bufferutil, utf-8-validate) would
 * become the product's, too, as `ws` looks for them. package.json puts `ws` in that package's place.
 */
stompjs.WebSocketClass = WebSocket;

export function open({ host, port }: Address, transport: 'stomp' | 'http'): LegacyClient {
  const client = transport === 'http' ? stompjs.client(`ws://${host}:${port}/stomp`) : stompjs.overTCP(host, port);
  client.debug = null;
  client.heartbeat = { outgoing: 0, incoming: 0 };
  return client;
}

export async function connectLegacy(client: LegacyClient, terms: Terms): Promise<CallbackPeer> {
  const [outgoing, incoming] = terms.heartBeat ?? [0, 0];
  client.heartbeat = { outgoing, incoming };
  // It offers 1.1 and 1.0; who wanted 1.0 had to replace this function.
  const offered = stompjs.VERSIONS.supportedVersions;
  stompjs.VERSIONS.supportedVersions = () => terms.version;
  try {
    return await CallbackPeer.connect(libraryOf(client), terms);
  } finally {
    stompjs.VERSIONS.supportedVersions = offered;
  }
}

function libraryOf(client: LegacyClient): Library {
  return {
    connect: (headers, connected, failed) => client.connect({ ...headers }, connected, failed),
    disconnect: () => client.disconnect(() => {}),
    send: (destination, body, headers) => client.send(destination, { ...headers }, body),
    subscribe: (destination, receive, headers) => client.subscribe(destination, receive, { ...headers }).unsubscribe,
    ...commonOf(client),
  };
}

export function legacy(name: string, transport: 'stomp' | 'http'): Client {
  return {
    name,
    versions: ['1.0', '1.1'],
    beats: ['1.1'],
    nacks: ['1.0', '1.1'],
    waits: false,
    readsPieces: transport === 'http',
    transport,
    connect: (address, terms) => connectLegacy(open(address, transport), terms),
    end: async () => {},
  };
}
