import { z } from 'zod';

/** Leaves of the schema: every one with a default, a range, a unit where it has one, and a line of documentation. */

declare module 'zod' {
  interface GlobalMeta {
    unit?: string;
    /** What is allowed, in words, where the type does not say it. */
    allowed?: string;
    /** Its value is not shown to people. */
    secret?: boolean;
  }
}

/** What a text, or an entry of a list, has to be: a test, and its words for people. */
export interface Form {
  readonly allowed: string;
  readonly test: (value: string) => boolean;
}

export function integer(fallback: number, min: number, max: number, doc: string, unit?: string) {
  return z
    .int()
    .min(min)
    .max(max)
    .default(fallback)
    .meta({ description: doc, ...(unit === undefined ? {} : { unit }) });
}

export function flag(fallback: boolean, doc: string) {
  return z.boolean().default(fallback).meta({ description: doc });
}

export function text(fallback: string, { allowed, test }: Form, doc: string) {
  return z.string().refine(test).default(fallback).meta({ description: doc, allowed });
}

/** A text that is not shown. */
export function secret(fallback: string, { allowed, test }: Form, doc: string) {
  return z.string().refine(test).default(fallback).meta({ description: doc, allowed, secret: true });
}

export function choice<const T extends readonly [string, ...string[]]>(values: T, fallback: T[number], doc: string) {
  return z
    .enum(values)
    .default(() => fallback)
    .meta({ description: doc });
}

/** A list of texts; one text with commas is taken for a list, as `--set` and the environment have it. */
export function list(fallback: readonly string[], least: number, { allowed, test }: Form, doc: string) {
  const entries = z.array(z.string().refine(test)).min(least).max(MAX_ENTRIES);
  return z
    .union([entries, z.string().transform(splitList).pipe(entries)])
    .default(() => [...fallback])
    .meta({ description: doc, allowed });
}

const MAX_ENTRIES = 1000;

/** Blanks around commas mean nothing; nothing at all is an empty list. */
function splitList(value: string): string[] {
  return value.trim() === '' ? [] : value.split(',').map((each) => each.trim());
}
