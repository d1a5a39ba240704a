import { createServer, type Server, type Socket } from 'node:net';
import type { Protocol } from '../ports/protocol.ts';
import type { Carrier } from './connection.ts';
import type { ConnectionRegistry } from './registry.ts';

class TcpCarrier implements Carrier {
  readonly socket: Socket;
  readonly framing = 'none';

  constructor(socket: Socket) {
    this.socket = socket;
  }

  get received(): number {
    return this.socket.bytesRead;
  }

  get peerEnded(): boolean {
    return this.socket.readableEnded;
  }

  pause(): void {
    // Not a listener for 'end', which each connection would have to keep.
    this.socket.allowHalfOpen = true;
    this.socket.pause();
  }

  resume(): void {
    this.socket.allowHalfOpen = false;
    this.socket.resume();
  }

  finish(): void {
    this.socket.end();
  }
}

/** A TCP server whose connections speak one protocol. Not yet listening. */
export function createTcpServer(protocol: Protocol, registry: ConnectionRegistry): Server {
  return createServer({ noDelay: true }, (socket) => {
    const address = socket.remoteAddress ?? '';
    if (!registry.admits(address)) {
      socket.destroy();
      return;
    }
    const connection = registry.open(protocol, new TcpCarrier(socket), address, socket.remotePort ?? 0);
    socket.on('data', (chunk: Buffer) => {
      registry.arrived(chunk.length);
      registry.receive(connection, chunk);
    });
    // A reset by the peer is an end like any other; 'close' follows.
    socket.on('error', ignore);
    socket.on('close', () => registry.closed(connection, address));
  });
}

function ignore(): void {}
