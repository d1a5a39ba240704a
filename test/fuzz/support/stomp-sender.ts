import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { resolveConfig } from '../../../src/config/load.ts';
import type { TestBroker } from '../../support/broker.ts';
import { eventually } from '../../support/eventually.ts';
import { type ReferenceFrame, readStomp, type StompVersion } from '../../support/stomp-reference.ts';
import { ACK_ID, type Stream } from './stomp-streams.ts';

/** How a connection came to its end. */
export type End = 'unanswered' | 'refused' | 'failed' | 'left' | 'served';

interface Line {
  write(chunk: Buffer): void;
  readonly open: boolean;
  end(): void;
  destroy(): void;
}

const { limits } = resolveConfig();
/** Turns that a message may take. */
const TURNS = 30;

/** A connection on which a stream is sent, and which knows what STOMP says of the answers. */
export class Sender {
  readonly #stream: Stream;
  readonly #line: Line;
  readonly #sent: Buffer[] = [];
  readonly #received: Buffer[] = [];
  /** Whether its first WebSocket message was binary: then it gets binary ones. */
  #binary: boolean | undefined;
  /** Of WebSocket messages, whether each is text. */
  readonly #texts: boolean[] = [];
  /** The frames in so many chunks. */
  #read: { readonly chunks: number; readonly frames: readonly ReferenceFrame[] } = { chunks: 0, frames: [] };
  #ended = false;
  #closed = false;

  constructor(stream: Stream, server: TestBroker) {
    this.#stream = stream;
    this.#line = stream.transport === 'tcp' ? this.#overTcp(server) : this.#overWebSocket(server);
  }

  #overTcp({ stomp }: TestBroker): Line {
    const socket: Socket = connect(stomp.port, stomp.host).setNoDelay(true);
    socket.on('data', (chunk) => this.#received.push(chunk));
    socket.on('error', () => {});
    socket.on('end', () => {
      this.#ended = true;
    });
    socket.on('close', () => {
      this.#closed = true;
    });
    return {
      write: (chunk) => void socket.write(chunk),
      get open() {
        return socket.writable;
      },
      end: () => void socket.end(),
      destroy: () => void socket.destroy(),
    };
  }

  #overWebSocket({ http }: TestBroker): Line {
    const socket = new WebSocket(`ws://${http.host}:${http.port}/stomp`, 'v12.stomp');
    const waiting: Buffer[] = [];
    const send = (chunk: Buffer): void => {
      // As clients do it: text where it is.
      const text = Buffer.from(`${chunk}`).equals(chunk);
      this.#binary ??= !text;
      socket.send(text ? `${chunk}` : chunk);
    };
    socket.on('open', () => waiting.splice(0).forEach(send));
    socket.on('message', (data, binary) => {
      assert.ok(Buffer.isBuffer(data));
      this.#received.push(Buffer.from(data));
      this.#texts.push(!binary);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#ended = true;
      this.#closed = true;
    });
    return {
      write: (chunk) => void (socket.readyState === WebSocket.CONNECTING ? waiting.push(chunk) : send(chunk)),
      get open() {
        return socket.readyState <= WebSocket.OPEN;
      },
      end: () => socket.close(),
      destroy: () => socket.terminate(),
    };
  }

  async send(): Promise<void> {
    for (const chunk of this.#stream.chunks) {
      if (!this.#line.open) break;
      const named = Buffer.from(await this.#withIds(chunk.toString('latin1')), 'latin1');
      this.#sent.push(named);
      this.#line.write(named);
      await turn();
    }
  }

  /** Acknowledgements are for what has come so far; what they are for gets some time to come. */
  async #withIds(text: string): Promise<string> {
    const back = [...text.matchAll(ACK_ID)].map(([, digit]) => Number(digit));
    if (back.length === 0) return text;
    for (let i = 0; i < TURNS && this.#ids().length <= Math.max(...back); i++) await turn();
    const ids = this.#ids();
    return text.replace(ACK_ID, (_, digit: string) => ids.at(-1 - Number(digit)) ?? ids[0] ?? 'none');
  }

  #ids(): readonly string[] {
    const name = this.#stream.level === '1.2' ? 'ack' : 'message-id';
    return this.#frames().flatMap((each) => header(each, name) ?? []);
  }

  #frames(): readonly ReferenceFrame[] {
    if (this.#read.chunks !== this.#received.length) {
      const bytes = Buffer.concat(this.#received);
      const { frames } = readStomp(bytes, { by: 'server', version: this.#version() });
      this.#read = { chunks: this.#received.length, frames };
    }
    return this.#read.frames;
  }

  /** What CONNECTED says; a mutation may have made it another than the client's. */
  #version(): StompVersion {
    const text = Buffer.concat(this.#received).toString('latin1');
    const [, said = this.#stream.level] = /^CONNECTED\n(?:.*\n)*?version:(1\.[012])\n/.exec(text) ?? [];
    return said === '1.0' || said === '1.1' ? said : '1.2';
  }

  /** What the broker made of it must be what the protocol says. */
  async judge(): Promise<End> {
    const version = this.#version();
    const asked = readStomp(Buffer.concat(this.#sent), { by: 'client', version, limits });
    const left = asked.frames.findIndex(({ command }) => command === 'DISCONNECT');
    const known = left < 0 ? asked.frames : asked.frames.slice(0, left + 1);
    const receipts = known.flatMap((each) => header(each, 'receipt') ?? []);
    const due = dueOf(known);
    const got = (): readonly string[] => this.#frames().flatMap((each) => header(each, 'receipt-id') ?? []);
    if (left >= 0 || asked.fault !== undefined) {
      await eventually(`the end, as ${asked.fault ?? 'the client has left'}`, () => this.#ended);
    } else if (known.length > 0) {
      const all = (): boolean => this.#ended || got().length >= due.length;
      await eventually(`${due.length} receipts, ${got()}`, all);
    }
    const frames = this.#check(version);
    const answered = receiptsOf(frames, 'RECEIPT');
    for (const [id, count] of counted(answered))
      assert.ok(count <= (counted(receipts).get(id) ?? 0), `the receipt ${id} came ${count} times`);
    const [first] = frames;
    if (first === undefined) return 'unanswered';
    assert.ok(['CONNECTED', 'ERROR'].includes(first.command), `the first frame is ${first.command}`);
    assert.is(frames.slice(1).filter(({ command }) => command === 'CONNECTED').length, 0);
    const errors = frames.flatMap(({ command }, i) => (command === 'ERROR' ? [i] : []));
    if (errors.length > 0) {
      assert.equal(errors, [frames.length - 1], 'an ERROR is the last frame');
      await eventually('the end after an ERROR', () => this.#ended);
      const error = frames.at(-1);
      assert.not.match(header(error, 'message') ?? '', 'an error of this server', `${error?.body}`);
      return first.command === 'ERROR' ? 'refused' : 'failed';
    }
    const came = counted(answered);
    for (const [id, count] of counted(due))
      assert.ok((came.get(id) ?? 0) >= count, `the receipt ${id}, of ${answered}`);
    if (left < 0) assert.not(this.#ended, 'the broker ended the connection, and does not say why');
    return left < 0 ? 'served' : 'left';
  }

  /** All that came, which must be as the grammar has it; on a WebSocket each frame by itself, as text where it is text. */
  #check(version: StompVersion): readonly ReferenceFrame[] {
    const bytes = Buffer.concat(this.#received);
    const { frames, fault, left, needed } = readStomp(bytes, { by: 'server', version });
    assert.is(fault, undefined, `what the broker sent is no STOMP ${version}: ${fault} in ${bytes}`);
    if (this.#ended) assert.is(left, 0);
    // Receipts and ids come back as they were written, colons and all; a refusal of CONNECT is in no version.
    for (const each of needed) assert.ok(['colon', 'before', 'unescaped'].includes(each), `${each} in ${bytes}`);
    if (this.#stream.transport === 'websocket') {
      for (const [i, message] of this.#received.entries()) {
        const one = readStomp(message, { by: 'server', version, connected: i > 0 });
        assert.is(one.frames.length + one.left, 1, `a frame by itself: ${message}`);
        const text = this.#binary !== true && Buffer.from(`${message}`).equals(message);
        assert.is(this.#texts[i], text, `text where it is text, and wanted: ${message}`);
      }
    }
    return frames;
  }

  async close(): Promise<void> {
    if (this.#stream.closes) this.#line.end();
    else this.#line.destroy();
    await eventually('the close of the connection', () => this.#closed);
  }
}

function header(frame: ReferenceFrame | undefined, name: string): string | undefined {
  return frame?.headers.find(([each]) => each === name)?.[1];
}

/** Receipts that must come: what a transaction holds is answered with its COMMIT, else only after a long silence. */
function dueOf(frames: readonly ReferenceFrame[]): readonly string[] {
  const held = new Map<string, string[]>();
  return frames.flatMap((each) => {
    const own = header(each, 'receipt') ?? [];
    const transaction = header(each, 'transaction');
    if (transaction === undefined) return own;
    if (['SEND', 'ACK', 'NACK'].includes(each.command)) {
      held.set(transaction, [...(held.get(transaction) ?? []), own].flat());
      return [];
    }
    const before = each.command === 'COMMIT' ? (held.get(transaction) ?? []) : [];
    held.delete(transaction);
    return [...before, own].flat();
  });
}

function receiptsOf(frames: readonly ReferenceFrame[], command: string): readonly string[] {
  return frames.flatMap((each) => (each.command === command ? (header(each, 'receipt-id') ?? []) : []));
}

function counted(texts: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const each of texts) counts.set(each, (counts.get(each) ?? 0) + 1);
  return counts;
}
