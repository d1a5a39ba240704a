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

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  finish(): void {
    this.socket.end();
  }
}

/** A TCP server whose connections speak one protocol. Not yet listening. */
export function createTcpServer(protocol: Protocol, registry: ConnectionRegistry): Server {
  // Half open, since what a peer has sent before its end may still wait.
  return createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
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
    socket.on('end', () => connection.inputEnded());
    // A reset by the peer is an end like any other; 'close' follows.
    socket.on('error', ignore);
    socket.on('close', () => registry.closed(connection, address));
  });
}

function ignore(): void {}
