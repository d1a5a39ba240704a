import { MsgHdrsImpl } from 'nats';
import { BrokerError } from '../../src/core/errors.ts';

/** What JetStream answers, read with care: it is JSON from outside. */

export type Answer = Record<string, unknown>;

/** Codes of JetStream's errors that are acted on; https://github.com/nats-io/nats-server/blob/main/server/errors.json */
export const API = {
  wrongLastSequence: 10071,
  wrongLastSequenceConstant: 10164,
  streamNotFound: 10059,
  noMessage: 10037,
  deleteFailed: 10057,
  consumerNotFound: 10014,
  accountExceeded: 10002,
  insufficientResources: 10023,
  storageExceeded: 10047,
  storeFailed: 10077,
} as const;

/** JetStream refused something. `status` is like one of HTTP: 4xx is about the request, 5xx about the server. */
export class ApiError extends BrokerError {
  readonly status: number;
  readonly apiCode: number;

  constructor(status: number, apiCode: number, description: string) {
    super('unavailable', `JetStream refused: ${description} (${apiCode})`);
    this.status = status;
    this.apiCode = apiCode;
  }
}

export function parseAnswer(data: Uint8Array): Answer {
  const parsed: unknown = JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.length).toString());
  return record(parsed);
}

export function record(value: unknown): Answer {
  return isRecord(value) ? value : {};
}

function isRecord(value: unknown): value is Answer {
  return typeof value === 'object' && value !== null;
}

export function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function apiError(answer: Answer): ApiError | undefined {
  if (!isRecord(answer.error)) return undefined;
  const { code, err_code, description } = answer.error;
  return new ApiError(number(code), number(err_code), text(description));
}

/** A header block that is encoded already, as the client's `publish` takes it. One can serve for many messages. */
export class EncodedHeaders extends MsgHdrsImpl {
  block: Uint8Array;

  constructor(block: Uint8Array) {
    super();
    this.block = block;
  }

  override encode(): Uint8Array {
    return this.block;
  }
}

export interface StreamState {
  readonly first: number;
  readonly last: number;
  readonly messages: number;
}

/** Of an answer that describes a stream. Sequences of a new one: nothing before 1. */
export function streamState(answer: Answer): StreamState {
  const state = record(answer.state);
  return {
    first: Math.max(1, number(state.first_seq)),
    last: number(state.last_seq),
    messages: number(state.messages),
  };
}
