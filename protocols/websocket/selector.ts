import { BrokerError } from '../../src/core/errors.ts';
import { parseSelector, type Selector } from '../../src/core/selector.ts';
import type { Limits } from '../../src/ports/limits.ts';
import { type JsonObject, RequestError, readText } from './codec.ts';

/** The field `selector` of `subscribe`; undefined where there is none, or an empty one. */
export function readSelector(request: JsonObject, limits: Limits): Selector | undefined {
  const text = readText(request, 'selector');
  return text === undefined || text === '' ? undefined : selectorOf(text, limits);
}

export function selectorOf(text: string, limits: Limits): Selector {
  try {
    return parseSelector(text, limits);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    throw new RequestError(error.code, 'selector', error.message);
  }
}
