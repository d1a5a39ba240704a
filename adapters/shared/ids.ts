import { createHash } from 'node:crypto';

/** Characters of an id that is remembered as it is; of a longer one, its hash, so that many ids are little memory. */
const LONG = 256;

export function shortId(id: string): string {
  return id.length > LONG ? createHash('sha256').update(id).digest('base64') : id;
}
