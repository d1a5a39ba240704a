import { fromBase64 } from './verifier.ts';

/** The client's messages of SCRAM (RFC 5802, 7). What is wrong with one is told in words. */

export interface ClientFirst {
  /** Channel binding flag and authorization identity: the client repeats it in Base64. */
  readonly gs2Header: string;
  /** What is behind that header: the beginning of the AuthMessage. */
  readonly bare: string;
  readonly name: string;
  /** Empty for none: the client acts for itself. */
  readonly authorizationName: string;
  readonly nonce: string;
}

export interface ClientFinal {
  readonly gs2Header: string;
  readonly nonce: string;
  readonly withoutProof: string;
  readonly proof: Buffer;
}

/** A message that is none, or that asks for what is not offered. */
export class ScramFault extends Error {}

/** `printable` of RFC 5802: ASCII without the comma. */
const NONCE = /^[\x21-\x2b\x2d-\x7e]+$/;
/** Characters; clients have about 24. It goes back in an Authentication Data, which has 65,535 bytes at most (MQTT 5.0, 1.5.6). */
const MOST_NONCE = 1024;
/** `attr-val`: a letter, `=`, and at least one character. */
const ATTRIBUTE = /^[A-Za-z]=[^\0]+$/s;

export function parseClientFirst(text: string): ClientFirst {
  const [flag = '', authorization, ...rest] = text.split(',');
  if (/^p=[A-Za-z0-9.-]+$/.test(flag)) throw new ScramFault('channel binding is not offered');
  if (flag !== 'n' && flag !== 'y') throw notOfForm('client-first-message');
  if (authorization === undefined || (authorization !== '' && !authorization.startsWith('a=')))
    throw notOfForm('client-first-message');
  if (rest[0]?.startsWith('m=')) throw new ScramFault('a mandatory extension of SCRAM is not known');
  const [user, nonce, ...extensions] = rest;
  if (user === undefined || nonce === undefined || !user.startsWith('n=') || !nonce.startsWith('r='))
    throw notOfForm('client-first-message');
  requireAttributes(extensions, 'client-first-message');
  if (!NONCE.test(nonce.slice(2))) throw notOfForm('client-first-message');
  if (nonce.length - 2 > MOST_NONCE) throw new ScramFault(`r= has more than ${MOST_NONCE} characters`);
  return {
    gs2Header: `${flag},${authorization},`,
    bare: rest.join(','),
    name: readName(user.slice(2)),
    authorizationName: authorization === '' ? '' : readName(authorization.slice(2)),
    nonce: nonce.slice(2),
  };
}

export function parseClientFinal(text: string): ClientFinal {
  const at = text.lastIndexOf(',p=');
  const withoutProof = text.slice(0, Math.max(0, at));
  const proof = at === -1 ? undefined : fromBase64(text.slice(at + 3));
  const [binding = '', nonce = '', ...extensions] = withoutProof.split(',');
  const header = binding.startsWith('c=') ? fromBase64(binding.slice(2)) : undefined;
  if (proof === undefined || header === undefined || !nonce.startsWith('r=')) throw notOfForm('client-final-message');
  requireAttributes(extensions, 'client-final-message');
  return { gs2Header: header.toString('latin1'), nonce: nonce.slice(2), withoutProof, proof };
}

/** `saslname`: comma and equals sign are written as =2C and =3D. */
function readName(text: string): string {
  if (text === '' || text.includes('\0') || /=(?!2C|3D)/.test(text))
    throw new ScramFault('the user name is not encoded as RFC 5802, 5.1, has it');
  return text.replaceAll('=2C', ',').replaceAll('=3D', '=');
}

/** Optional extensions that are not known are left aside (RFC 5802, 5.1), if that is what they are. */
function requireAttributes(extensions: readonly string[], message: string): void {
  if (!extensions.every((each) => ATTRIBUTE.test(each))) throw notOfForm(message);
}

function notOfForm(message: string): ScramFault {
  return new ScramFault(`the data is not a ${message} (RFC 5802, 7)`);
}
