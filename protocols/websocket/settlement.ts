import type { Outcome } from '../../src/ports/queues.ts';
import { type JsonObject, kind, RequestError, readBoolean, readInteger } from './codec.ts';
import { readDelay } from './mapping.ts';

/** What an `accept` or `reject` says of which deliveries. */
export interface Settlement {
  readonly deliveries: readonly number[];
  /** Which field named them. */
  readonly field: 'delivery' | 'deliveries';
  readonly outcome: Outcome;
  readonly delay: number | undefined;
}

/** Deliveries that one request settles at most. */
const MAX_DELIVERIES = 1000;

export function readSettlement(type: 'accept' | 'reject', request: JsonObject): Settlement {
  const one = readInteger(request, 'delivery', 1, Number.MAX_SAFE_INTEGER);
  const several = readDeliveries(request);
  if ((one === undefined) === (several === undefined)) {
    const found = one === undefined ? 'neither is there' : 'both are there';
    throw new RequestError('fieldInvalid', 'delivery', `one of delivery and deliveries is expected; ${found}`);
  }
  const field = one === undefined ? 'deliveries' : 'delivery';
  const deliveries = several ?? (one === undefined ? [] : [one]);
  if (type === 'accept') return { deliveries, field, outcome: 'accept', delay: undefined };
  const requeue = request.requeue === undefined || readBoolean(request, 'requeue');
  const delay = readDelay(request);
  if (!requeue && delay !== undefined) {
    throw new RequestError(
      'fieldInvalid',
      'delay',
      'delay is there, but requeue is false; what is not requeued has none',
    );
  }
  return { deliveries, field, outcome: requeue ? 'requeue' : 'reject', delay };
}

function readDeliveries(request: JsonObject): readonly number[] | undefined {
  const value = request.deliveries;
  if (value === undefined) return undefined;
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  if (list.length < 1 || list.length > MAX_DELIVERIES) {
    const found = Array.isArray(value) ? `an array of ${list.length}` : kind(value);
    const text = `deliveries is ${found}; an array of 1 to ${MAX_DELIVERIES} deliveries is expected`;
    throw new RequestError('fieldInvalid', 'deliveries', text);
  }
  return list.map((each, index) => {
    if (typeof each === 'number' && Number.isSafeInteger(each) && each >= 1) return each;
    const text = `deliveries, entry ${index}, is not the delivery of a message: a positive integer is expected`;
    throw new RequestError('fieldInvalid', 'deliveries', text);
  });
}
