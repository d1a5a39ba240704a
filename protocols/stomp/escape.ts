import { VERSION, type Version } from './version.ts';

/**
 * Header escapes (STOMP 1.2, Value Encoding). 1.2: `\r \n \c \\`; 1.1: `\n \c \\`; 1.0 has none. CONNECT and CONNECTED
 * are never escaped, so that they stay readable for 1.0.
 */

const BACKSLASH = 0x5c;
const N = 0x6e;
const C = 0x63;
const R = 0x72;

/** Whether every backslash in `buffer[start, end)` begins an escape of this version; others are fatal. */
export function escapesValid(buffer: Buffer, start: number, end: number, version: Version): boolean {
  for (let i = start; i < end; i++) {
    if (buffer[i] !== BACKSLASH) continue;
    i++;
    const next = i < end ? buffer[i] : undefined;
    if (next === N || next === C || next === BACKSLASH || (next === R && version === VERSION.v12)) continue;
    return false;
  }
  return true;
}

/** For text whose escapes are valid. */
export function unescapeHeader(text: string): string {
  return text.replace(/\\(.)/g, (_, letter: string) => {
    if (letter === 'n') return '\n';
    if (letter === 'r') return '\r';
    return letter === 'c' ? ':' : '\\';
  });
}

const SPECIAL = /[\\:\n\r\0]/;
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  [':', '\\c'],
]);

/** The text as part of a header line, or undefined when the version cannot express it. */
export function escapeHeader(text: string, version: Version, part: 'name' | 'value'): string | undefined {
  if (!SPECIAL.test(text)) return text;
  // A null character ends the frame in every version.
  if (text.includes('\0')) return undefined;
  if (version < VERSION.v12 && text.includes('\r')) return undefined;
  if (version === VERSION.v10) {
    if (text.includes('\n') || (part === 'name' && text.includes(':'))) return undefined;
    return text;
  }
  return text.replace(/[\\:\n\r]/g, (character) => ESCAPES.get(character) ?? character);
}

/** `name:value` and its line end, or undefined when the version cannot express it. */
export function headerLine(name: string, value: string, version: Version): string | undefined {
  const escapedName = escapeHeader(name, version, 'name');
  const escapedValue = escapeHeader(value, version, 'value');
  return escapedName === undefined || escapedValue === undefined ? undefined : `${escapedName}:${escapedValue}\n`;
}
