import { z } from 'zod';

/** Leaves of the schema: every one with a default, a range, a unit where it has one, and a line of documentation. */

export interface Documentation {
  readonly doc: string;
  readonly unit?: string;
}

declare module 'zod' {
  interface GlobalMeta {
    doc?: string;
    unit?: string;
  }
}

export function integer(fallback: number, min: number, max: number, doc: string, unit?: string) {
  return z
    .int()
    .min(min)
    .max(max)
    .default(fallback)
    .meta({ doc, ...(unit === undefined ? {} : { unit }) });
}

export function flag(fallback: boolean, doc: string) {
  return z.boolean().default(fallback).meta({ doc });
}

export function text(fallback: string, doc: string) {
  return z.string().min(1).default(fallback).meta({ doc });
}

export function choice<const T extends readonly [string, ...string[]]>(values: T, fallback: T[number], doc: string) {
  return z
    .enum(values)
    .default(() => fallback)
    .meta({ doc });
}

/** A list of texts; one text with commas is taken for a list, as `--set` and the environment have it. */
export function list(fallback: readonly string[], doc: string) {
  return z
    .union([
      z.array(z.string().min(1)),
      z.string().transform((value) =>
        value
          .split(',')
          .map((each) => each.trim())
          .filter(Boolean),
      ),
    ])
    .default(() => [...fallback])
    .meta({ doc });
}
