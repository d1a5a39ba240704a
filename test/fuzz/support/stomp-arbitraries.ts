import * as fc from 'fast-check';
import { escapedAs, type StompVersion } from '../../support/stomp-reference.ts';
import type { Mutation } from './mutations.ts';

/** Frames that a client may send, in each version, with everything that may stand in them. */

export const version = fc.constantFrom<StompVersion>('1.0', '1.1', '1.2');

/** Any characters, of one to four bytes; those that mean something in a frame, or to objects, more often. */
export const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }) },
  {
    weight: 3,
    arbitrary: fc
      .array(fc.constantFrom('\\', ':', '\n', '\r', '\\n', '\\c', '\0', ' ', '\t', 'a', 'é', '\uFEFF'), {
        maxLength: 6,
      })
      .map((parts) => parts.join('')),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', '__proto__', 'hasOwnProperty', 'content-length', '\uFFFD', '𝄞', 'x'.repeat(200)),
  },
);
export type Pair = readonly [name: string, value: string];

/** Names that mean something, so that they repeat and collide. */
export const knownName = fc.constantFrom(
  ...['destination', 'receipt', 'transaction', 'persistent', 'id', 'message-id', 'content-type', 'ack', 'reply-to'],
  ...['priority', 'key', 'delay', 'correlation-id', 'subscription', 'expires', 'user.x', 'redelivered', 'position'],
);

const command = fc.constantFrom(
  ...['SEND', 'SEND', 'SEND', 'SUBSCRIBE', 'UNSUBSCRIBE', 'ACK', 'NACK', 'BEGIN', 'COMMIT', 'ABORT', 'DISCONNECT'],
);

/** A frame, and the way its bytes are written. */
export interface Written {
  readonly command: string;
  readonly headers: readonly Pair[];
  readonly body: Buffer;
  /** Its length is told. */
  readonly counted: boolean;
  readonly eol: '\n' | '\r\n';
  /** Line ends behind it. */
  readonly behind: number;
}

/** Whether a header of that version can have these. */
const expressible = ([name, value]: Pair, level: StompVersion): boolean =>
  escapedAs(name, level, 'name') !== undefined &&
  escapedAs(value, level, 'value') !== undefined &&
  (level !== '1.0' || (name.trim() === name && value.trim() === value)) &&
  name !== '' &&
  name !== 'content-length';

export const frame = (level: StompVersion): fc.Arbitrary<Written> =>
  fc
    .record({
      command,
      headers: fc.array(fc.tuple(fc.oneof(text, knownName), text), { maxLength: 6 }),
      body: fc.uint8Array({ maxLength: 200 }),
      counted: fc.boolean(),
      returns: fc.boolean(),
      behind: fc.nat(2),
    })
    .map(({ returns, headers, body, counted, ...rest }): Written => {
      const content = rest.command === 'SEND' ? Buffer.from(counted ? body : body.filter((byte) => byte !== 0)) : '';
      return {
        ...rest,
        headers: headers.filter((pair) => expressible(pair, level)),
        body: Buffer.from(content),
        counted,
        eol: returns && level === '1.2' ? '\r\n' : '\n',
      };
    });

export function bytesOf({ command: name, headers, body, counted, eol, behind }: Written, level: StompVersion): Buffer {
  const told: readonly Pair[] = counted ? [...headers, ['content-length', `${body.length}`]] : headers;
  const lines = told.map(
    ([each, value]) => `${escapedAs(each, level, 'name')}:${escapedAs(value, level, 'value')}${eol}`,
  );
  return Buffer.concat([
    Buffer.from(`${name}${eol}${lines.join('')}${eol}`),
    body,
    Buffer.from(`\0${eol.repeat(behind)}`),
  ]);
}

export const connectFrame = (level: StompVersion): Buffer =>
  Buffer.from(`CONNECT\naccept-version:${level}\nhost:test\n\n\0`);

/** What stands between the parts of a frame, and little frames. */
const TOKENS = [
  ...['\n', '\n\n', '\0', '\r\n', '\r', ':', '\\', '\\n', '\\c', '\\r', '\\t', ' ', '\t', '\xff', 'a:b\n', 'x'],
  ...['content-length:0\n', 'content-length:3\n', 'content-length:-1\n', 'content-length: 2\n', 'content-length:9e9\n'],
  ...[
    'SEND\n\n\0',
    'MESSAGE\n\nx\0',
    'CONNECT\na:\\t\n\n\0',
    'ABORT\n\n\n\0',
    'BEGIN\n\nx\0',
    'x'.repeat(220),
    'a:b\n'.repeat(9),
  ],
];

/** Such a piece, put in anywhere. */
export const insertion: fc.Arbitrary<Mutation> = fc.record({
  do: fc.constant('insert'),
  at: fc.oneof({ weight: 9, arbitrary: fc.nat({ max: 65_535 }) }, { weight: 1, arbitrary: fc.constant(0) }),
  bytes: fc.constantFrom(...TOKENS).map((token) => [...Buffer.from(token, 'latin1')]),
});
