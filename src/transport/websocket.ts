import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import type { Limits } from '../ports/limits.ts';
import type { Protocol } from '../ports/protocol.ts';
import type { Carrier } from './connection.ts';
import { originAllowed } from './origin.ts';
import type { ConnectionRegistry } from './registry.ts';

/**
 * WebSocket connections on the HTTP server, for every protocol, by path or subprotocol. `ws` does the handshake, what
 * arrives, and control frames; data frames leave through our batched output, on the same socket.
 */
class WebSocketCarrier implements Carrier {
  readonly socket: Duplex;
  readonly framing: 'stream' | 'frame';
  /** A paused WebSocket does not come to the end of what it was sent. */
  readonly peerEnded = false;
  readonly #webSocket: WebSocket;

  constructor(socket: Duplex, webSocket: WebSocket, framing: 'stream' | 'frame') {
    this.socket = socket;
    this.#webSocket = webSocket;
    this.framing = framing;
  }

  get received(): number {
    // Sockets of node:net and node:tls count, whatever the type of an upgrade's socket says.
    return 'bytesRead' in this.socket && typeof this.socket.bytesRead === 'number' ? this.socket.bytesRead : 0;
  }

  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  finish(): void {
    this.#webSocket.close(1000);
  }
}

export interface WebSocketOptions {
  readonly protocols: readonly Protocol[];
  readonly registry: ConnectionRegistry;
  readonly limits: Limits;
  /** Origins of pages that may connect beside those of this server's own host. */
  readonly allowedOrigins: readonly string[];
}

/** Close code for a message of the wrong kind (RFC 6455, 7.4.1). */
const UNSUPPORTED_DATA = 1003;

/** Serves WebSocket upgrades on `http`. */
export function attachWebSocket(http: Server, options: WebSocketOptions): void {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: options.limits.packetBytes,
    maxFragments: options.limits.webSocketFragments,
    perMessageDeflate: false,
    handleProtocols: (offered) => chooseSubprotocol(options.protocols, offered) ?? false,
  });

  // One for all sockets: an idle connection is to cost little.
  const arrived = (chunk: Buffer): void => options.registry.arrived(chunk.length);

  http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', ignore);
    const protocol = chooseProtocol(options.protocols, request);
    if (typeof protocol === 'string') {
      refuse(socket, '400 Bad Request', protocol);
      return;
    }
    if (!originAllowed(request.headers.origin, request.headers.host, options.allowedOrigins)) {
      refuse(socket, '403 Forbidden', 'pages of this origin may not connect (listeners.http.allowedOrigins)');
      return;
    }
    const address = request.socket.remoteAddress ?? '';
    if (!options.registry.admits(address)) {
      refuse(socket, '503 Service Unavailable', 'too many connections');
      return;
    }
    server.handleUpgrade(request, socket, head, (webSocket) => {
      accept(webSocket, socket, protocol, options.registry, address, request.socket.remotePort ?? 0);
      socket.on('data', arrived);
    });
  });
}

function accept(
  webSocket: WebSocket,
  socket: Duplex,
  protocol: Protocol,
  registry: ConnectionRegistry,
  address: string,
  port: number,
): void {
  const { accepts, framing } = protocol.webSocket;
  const connection = registry.open(protocol, new WebSocketCarrier(socket, webSocket, framing), address, port);
  webSocket.on('message', (data: RawData, binary: boolean) => {
    if (!Buffer.isBuffer(data)) return;
    if (accepts !== 'any' && binary !== (accepts === 'binary')) {
      // First: what ends the connection would close it with a code that says all is well.
      webSocket.close(UNSUPPORTED_DATA, `${accepts} messages are expected`);
      connection.end(`a ${binary ? 'binary' : 'text'} message where ${accepts} ones are expected`);
      return;
    }
    connection.binary ??= binary;
    registry.receive(connection, data);
  });
  // A violation of RFC 6455 or of maxPayload: ws has answered with the fitting close code; 'close' follows.
  webSocket.on('error', (error) => {
    connection.reason ||= error.message;
  });
  webSocket.on('close', () => registry.closed(connection, address));
}

/** By subprotocol on any of the paths, else by path; a text says why neither. */
function chooseProtocol(protocols: readonly Protocol[], request: IncomingMessage): Protocol | string {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  const byPath = protocols.find((protocol) => protocol.webSocket.path === path);
  const paths = protocols.map((protocol) => protocol.webSocket.path).join(', ');
  if (byPath === undefined) return `no WebSocket endpoint at ${path}; there are: ${paths}`;
  const header = request.headers['sec-websocket-protocol'];
  if (header === undefined) return byPath;
  const offered = header.split(',').map((name) => name.trim());
  const subprotocol = chooseSubprotocol(protocols, offered);
  if (subprotocol === undefined) {
    const known = protocols.flatMap((protocol) => protocol.webSocket.subprotocols).join(', ');
    return `none of the subprotocols offered is known; there are: ${known}`;
  }
  return protocols.find((protocol) => protocol.webSocket.subprotocols.includes(subprotocol)) ?? byPath;
}

/**
 * The client's first that is known says which protocol; of that protocol's, the one that comes first in its own list: the highest
 * version. Clients list them in any order: webstomp-client from the lowest on, and takes its version of STOMP from the answer.
 */
function chooseSubprotocol(protocols: readonly Protocol[], offered: Iterable<string>): string | undefined {
  const names = [...offered];
  for (const name of names) {
    const known = protocols.find((protocol) => protocol.webSocket.subprotocols.includes(name));
    if (known !== undefined) return known.webSocket.subprotocols.find((each) => names.includes(each));
  }
  return undefined;
}

function refuse(socket: Duplex, status: string, text: string): void {
  const body = `${text}\n`;
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function ignore(): void {}
