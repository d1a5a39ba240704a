import { isIP } from 'node:net';
import type { Form } from './field.ts';

/** What texts in the configuration have to look like. */

/** What looks like a mistyped IPv4 address must not go out as a question to DNS. */
export const HOST: Form = {
  allowed: 'a host name or an IP address, without a port',
  test: (value) => isIP(value) !== 0 || (value.length <= 253 && HOST_NAME.test(value) && !/^[\d.]+$/.test(value)),
};

const LABEL = '[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?';
const HOST_NAME = new RegExp(`^${LABEL}(\\.${LABEL})*\\.?$`);

export const NATS_SERVERS: Form = {
  allowed: 'a list of servers such as nats://127.0.0.1:4222 (or tls://…), or one text with commas between them',
  test: (value) => {
    const scheme = /^([a-z]+):\/\//.exec(value)?.[0] ?? '';
    if (!['', 'nats://', 'tls://'].includes(scheme) || /[\s/?#]/.test(value.slice(scheme.length))) return false;
    const url = `nats://${value.slice(scheme.length)}`;
    return URL.canParse(url) && new URL(url).hostname !== '';
  },
};

/** One token of a NATS subject, good in the names of streams and buckets too. */
export const PREFIX: Form = {
  allowed: '1 to 64 letters, digits, - or _',
  test: (value) => /^[A-Za-z0-9_-]{1,64}$/.test(value),
};

/** Of which nothing is asked. */
export const ANY_TEXT: Form = { allowed: 'text', test: (value) => !value.includes('\0') };

export const DIRECTORY: Form = {
  allowed: 'a path of a directory',
  test: (value) => value.trim() !== '' && !value.includes('\0'),
};

/** Exactly as browsers send it, or nothing would ever match. `null` is what any sandboxed frame sends: it is nobody. */
export const ORIGINS: Form = {
  allowed: 'a list of origins such as https://example.org (scheme, host and port, no path), or *',
  test: (value) => {
    if (value === '*') return true;
    if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+$/.test(value)) return false;
    if (!/^https?:/.test(value)) return true;
    return URL.canParse(value) && new URL(value).origin === value;
  },
};
