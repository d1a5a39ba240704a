import { isIP } from 'node:net';
import { z } from 'zod';

/** The kinds of value a key can have, each with its default, range, unit and doc. `schema.ts` is made of these. */

export type LeafKind = 'integer' | 'flag' | 'choice' | 'text' | 'list';
export type LeafValue = string | number | boolean | readonly string[];

/** What everything but validation needs to know of a key: default file, help, environment, messages. */
export interface Leaf {
  readonly kind: LeafKind;
  readonly fallback: LeafValue;
  /** Completes "found X, expected …". */
  readonly expected: string;
  readonly unit: string;
  readonly doc: string;
}

export const leaves = z.registry<Leaf>();

/** An integer within a range. `unit` is what it counts, in the plural. */
export function integer(fallback: number, min: number, max: number, unit: string, doc: string) {
  const expected = `an integer from ${min} to ${max}${unit === '' ? '' : ` (${unit})`}`;
  return z
    .number()
    .int()
    .min(min)
    .max(max)
    .default(fallback)
    .meta({ description: describeKey(doc, expected) })
    .register(leaves, { kind: 'integer', fallback, expected, unit, doc });
}

export function flag(fallback: boolean, doc: string) {
  const expected = 'true or false';
  return z
    .boolean()
    .default(fallback)
    .meta({ description: describeKey(doc, expected) })
    .register(leaves, { kind: 'flag', fallback, expected, unit: '', doc });
}

export function choice<const T extends string>(values: readonly [T, ...T[]], fallback: NoInfer<T>, doc: string) {
  const expected = `one of ${values.join(', ')}`;
  const type = z
    .literal([...values])
    .prefault(fallback)
    .meta({ description: describeKey(doc, expected) });
  leaves.add(type, { kind: 'choice', fallback, expected, unit: '', doc });
  return type;
}

/** Text for which `valid` holds; `expected` says so in words. */
export function text(fallback: string, expected: string, valid: (value: string) => boolean, doc: string) {
  return z
    .string()
    .refine(valid)
    .default(fallback)
    .meta({ description: describeKey(doc, expected) })
    .register(leaves, { kind: 'text', fallback, expected, unit: '', doc });
}

/** A list of texts, or one text with commas between them. */
export function list(
  fallback: readonly string[],
  min: number,
  expected: string,
  valid: (value: string) => boolean,
  doc: string,
) {
  const entries = z.array(z.string().refine(valid)).min(min).max(MAX_LIST);
  // prefault, not default: each configuration gets an array of its own, to be frozen.
  return z
    .union([entries, z.string().transform(splitList).pipe(entries)])
    .prefault([...fallback])
    .meta({ description: describeKey(doc, expected) })
    .register(leaves, { kind: 'list', fallback, expected, unit: '', doc });
}

const MAX_LIST = 1000;

/** Blanks around the commas mean nothing; nothing at all is an empty list. */
export function splitList(value: string): string[] {
  return value.trim() === '' ? [] : value.split(',').map((entry) => entry.trim());
}

function describeKey(doc: string, expected: string): string {
  return `${doc} Expected: ${expected}.`;
}

/** A name or address to listen on. What looks like a mistyped IPv4 address must not go out as a DNS question. */
export function isHost(value: string): boolean {
  if (isIP(value) !== 0) return true;
  return value.length <= 253 && HOST_NAME.test(value) && !/^[\d.]+$/.test(value);
}

const HOST_NAME = /^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$/;

/** `host`, `host:port` or `nats://…`, `tls://…`, with credentials or without. */
export function isNatsServer(value: string): boolean {
  const scheme = /^([a-z]+):\/\//.exec(value)?.[1];
  if (scheme !== undefined && scheme !== 'nats' && scheme !== 'tls') return false;
  if (/[\s/]/.test(value.slice(scheme === undefined ? 0 : scheme.length + 3))) return false;
  try {
    const url = new URL(scheme === undefined ? `nats://${value}` : value);
    return url.hostname !== '' && url.search === '' && url.hash === '';
  } catch {
    return false;
  }
}

/** An origin exactly as browsers send it, or `*`. `null` is what any sandboxed frame sends, so it names nobody. */
export function isOrigin(value: string): boolean {
  if (value === '*') return true;
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+$/.test(value)) return false;
  try {
    const { protocol, origin } = new URL(value);
    return (protocol !== 'http:' && protocol !== 'https:') || origin === value;
  } catch {
    return false;
  }
}

export function isDirectory(value: string): boolean {
  return value.trim() !== '' && !value.includes('\0');
}

/** One token of a NATS subject that is also good in names of streams and buckets. */
export function isPrefix(value: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(value);
}
