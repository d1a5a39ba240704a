/** Percent-encoding by the bytes of UTF-8 (RFC 3986, 2.1), in which names have what means something to STOMP. */

/** For `String.replace`. */
export function encodePercent(character: string): string {
  let text = '';
  for (const byte of Buffer.from(character, 'utf8')) text += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return text;
}

/** Undefined where a % has no two hexadecimal digits of UTF-8 after it. */
export function decodePercent(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
