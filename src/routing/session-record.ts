import { Packer, Unpacker } from '../core/pack.ts';
import { DURABLE_GROUP } from '../core/topic.ts';

/** What is kept of a session: whose it is and how long, around the protocol's own state. */
export interface SessionRecord {
  readonly principal: string;
  /** The node that wrote it. */
  readonly node: string;
  /** Seconds it is kept after its connection. */
  readonly keptFor: number;
  /** Milliseconds since 1970; 0: it has a connection on that node. */
  readonly expiresAt: number;
  readonly state: Uint8Array;
}

const FORMAT = 1;

/** How the keys of groups begin, whose places are kept among the sessions. */
export const GROUP_KEYS = 'share:';

/** Whether a key is that of a group, and not of a durable subscription, which is a session of its client's. */
export function isGroupKey(key: string): boolean {
  return key.startsWith(GROUP_KEYS) && !key.startsWith(GROUP_KEYS + DURABLE_GROUP);
}

export function encodeSession({ principal, node, keptFor, expiresAt, state }: SessionRecord): Uint8Array {
  const packer = new Packer().integer(FORMAT).text(principal).text(node);
  return packer.integer(keptFor).integer(expiresAt).bytes(state).done();
}

/** Throws RangeError on bytes that are no session. */
export function decodeSession(bytes: Uint8Array): SessionRecord {
  const unpacker = new Unpacker(bytes);
  const format = unpacker.integer();
  if (format !== FORMAT) throw new RangeError(`a session of format ${format}; ${FORMAT} is expected`);
  return {
    principal: unpacker.text(),
    node: unpacker.text(),
    keptFor: unpacker.integer(),
    expiresAt: unpacker.integer(),
    state: unpacker.bytes(),
  };
}
