import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { mqtt } from './mqtt.ts';
import { residentBytes } from './process-stats.ts';

/** Logins under way at once. */
const WAVE = 200;
/** Connections opened and closed before, so that code and tables a broker needs once are not counted. */
const REHEARSAL = 500;
/** Seconds a broker gets to put its memory in order; the least value seen counts. */
const SETTLE = 6;

export interface Idle {
  readonly connections: number;
  /** Growth of the broker's resident memory for each connection. */
  readonly bytesEach: number;
  readonly before: number;
  readonly after: number;
}

/** All sockets read into the same few bytes: CONNACK is all that comes. */
const answer = Buffer.alloc(64);

function open(id: string, port: number, onLost: () => void): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      onread: {
        buffer: answer,
        callback: (bytes) => {
          if (bytes === 4 && answer[0] === 0x20 && answer[3] === 0) resolve(socket);
          else reject(new Error(`${id}: CONNECT was not accepted`));
          return true;
        },
      },
    });
    socket.once('error', (error) => reject(error));
    socket.once('close', () => {
      reject(new Error(`${id}: closed`));
      onLost();
    });
    socket.write(mqtt.hello(id));
  });
}

async function openAll(count: number, port: number, label: string, onLost: () => void): Promise<Socket[]> {
  const sockets: Socket[] = [];
  try {
    while (sockets.length < count) {
      const wave = Array.from({ length: Math.min(WAVE, count - sockets.length) }, (_, i) =>
        open(`${label}-${sockets.length + i}`, port, onLost),
      );
      sockets.push(...(await Promise.all(wave)));
    }
    return sockets;
  } catch (error) {
    closeAll(sockets);
    throw error;
  }
}

function closeAll(sockets: readonly Socket[]): void {
  for (const socket of sockets) socket.removeAllListeners('close').destroy();
}

async function settled(pid: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let second = 0; second < SETTLE; second++) {
    await sleep(1000);
    least = Math.min(least, residentBytes(pid));
  }
  return least;
}

export async function runIdle(connections: number, port: number, pid: number): Promise<Idle> {
  closeAll(await openAll(REHEARSAL, port, 'rehearsal', () => {}));
  const before = await settled(pid);
  let lost = 0;
  const sockets = await openAll(connections, port, 'idle', () => lost++);
  const after = await settled(pid);
  closeAll(sockets);
  if (lost > 0) throw new Error(`${lost} of ${connections} idle connections were closed by the broker`);
  return { connections, bytesEach: (after - before) / connections, before, after };
}
