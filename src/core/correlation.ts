/**
 * Correlation data is bytes (MQTT 5); STOMP headers and JSON fields are text. One text form for both: bytes that are
 * valid UTF-8 as they are, everything else as `base64:` and its base64. So that the way back is unambiguous, text that
 * itself begins with `base64:` is encoded too, and so is text with control characters, which STOMP headers cannot have.
 */
const PREFIX = 'base64:';

export function correlationText(bytes: Uint8Array): string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = view.toString('utf8');
  // Invalid bytes become U+FFFD, which may also stand in valid text: only then must the way back be tried.
  const valid = !text.includes('\ufffd') || Buffer.from(text, 'utf8').equals(view);
  if (valid && !text.startsWith(PREFIX) && !hasControl(text)) return text;
  return PREFIX + view.toString('base64');
}

/** The bytes that `text` stands for; undefined when it begins with `base64:` and no canonical base64 follows. */
export function correlationBytes(text: string): Uint8Array | undefined {
  if (!text.startsWith(PREFIX)) return Buffer.from(text, 'utf8');
  const encoded = text.slice(PREFIX.length);
  const bytes = Buffer.from(encoded, 'base64');
  return bytes.toString('base64') === encoded ? bytes : undefined;
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) < 0x20) return true;
  return false;
}
