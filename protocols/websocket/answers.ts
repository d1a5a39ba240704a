import { textBytes, writeText } from '../../src/core/bytes.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { type ErrorCode, quote } from './codec.ts';

/** All that is said to a client besides its messages. `id`: of the request it answers, as JSON text. */
export class Answers {
  readonly #connection: Connection;
  /** The client is gone, or has been told goodbye: nothing more is said. */
  over = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** `fields`: more of it, as JSON text from the comma on. */
  answer(type: 'hello' | 'ack' | 'pong', id: string | undefined, fields = ''): void {
    this.#write(`{"type":"${type}"${asked(id)}${fields}}`);
  }

  /** One that no one asked for is not sent. */
  ack(id: string | undefined, fields = ''): void {
    if (id !== undefined) this.answer('ack', id, fields);
  }

  /** Of a subscription that comes to its end without being asked to. */
  ended(subscription: string, code: ErrorCode, text: string): void {
    this.#write(`{"type":"ended","subscription":${quote(subscription)},"code":"${code}","message":${quote(text)}}`);
  }

  refuse(code: ErrorCode, text: string, id: string | undefined, field?: string): void {
    const named = field === undefined ? '' : `,"field":${quote(field)}`;
    this.#write(`{"type":"error"${asked(id)},"code":"${code}"${named},"message":${quote(text)}}`);
  }

  goodbye(code: ErrorCode, text: string): void {
    this.#write(`{"type":"goodbye","code":"${code}","message":${quote(text)}}`);
  }

  #write(text: string): void {
    if (this.over) return;
    const bytes = textBytes(text);
    this.#connection.begin(bytes, true);
    const at = this.#connection.reserve(bytes);
    writeText(this.#connection.buffer, at, text, bytes);
  }
}

function asked(id: string | undefined): string {
  return id === undefined ? '' : `,"id":${id}`;
}
