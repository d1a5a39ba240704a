import { Message, type Properties, type Qos } from '../../../../src/core/message.ts';
import { type Naming, parseSelector } from '../../../../src/core/selector.ts';

export const LIMITS = { selectorBytes: 1024, selectorDepth: 16 };

/** Headers by name; several of one name as pairs. */
export type Headers = Readonly<Record<string, string>> | readonly (readonly [string, string])[];

export function messageOf(headers: Headers, more: Properties = {}, qos: Qos = 0): Message {
  const user = Array.isArray(headers) ? headers : Object.entries(headers);
  const publisher = { clientId: 'p', protocol: 'stomp' } as const;
  return new Message('a/b', Buffer.from('body'), 0, 4, qos, false, { ...more, user }, publisher, 1_700_000_000_123);
}

/** Whether the selector takes a message with these headers. */
export function selects(text: string, headers: Headers = {}): boolean {
  return parseSelector(text, LIMITS).matches(messageOf(headers));
}

/** TRUE, FALSE, or unknown: what is not TRUE, and whose contrary is not TRUE either. */
export function truth(condition: string, headers: Headers = {}): 'T' | 'F' | '?' {
  if (selects(condition, headers)) return 'T';
  return selects(`NOT (${condition})`, headers) ? 'F' : '?';
}

/** What is said of a selector that is not taken; undefined when it is taken. */
export function refusal(text: string, limits = LIMITS, naming?: Naming): unknown {
  try {
    parseSelector(text, limits, naming);
    return undefined;
  } catch (error) {
    return error;
  }
}
