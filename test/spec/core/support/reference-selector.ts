import fc from 'fast-check';

/**
 * Conditions as trees, written down as selectors and evaluated in another way than the product does: truth is a number (0
 * FALSE, ½ unknown, 1 TRUE), AND the least and OR the greatest of several, LIKE a regular expression.
 */

type Values = Readonly<Record<string, string | undefined>>;

/** A number; null is NULL, NaN what is no number. */
type Amount = number | null;

interface Node<T> {
  /** How strongly it binds: what is weaker than its surroundings needs parentheses. */
  readonly binds: number;
  readonly text: string;
  value(values: Values): T;
}

const BINDS = { or: 1, and: 2, not: 3, predicate: 4, sum: 5, product: 6, sign: 7, atom: 8 };

const within = (node: Node<unknown>, binds: number): string => (node.binds < binds ? `(${node.text})` : node.text);

export const NAMES = ['a', 'b', 'my-c', '"d d"'];
const plain = (name: string): string => name.replaceAll('"', '');

/** Headers, by name. */
export const values: fc.Arbitrary<Values> = fc.record(
  Object.fromEntries(
    NAMES.map((name) => [
      plain(name),
      fc.constantFrom(undefined, '1', '2', '-3.5', '1e1', '07', '', 'x', 'x%y', 'true', 'FALSE', '%', '_'),
    ]),
  ),
);

const numberOf = (text: string): number =>
  /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
const TRUTHS: ReadonlyMap<string, number> = new Map([
  ['true', 1],
  ['false', 0],
]);
const truthOf = (text: string): number => TRUTHS.get(text.toLowerCase()) ?? Number.NaN;

// --- amounts --------------------------------------------------------------------------------------------------------

const literal: fc.Arbitrary<Node<Amount>> = fc
  .constantFrom(['0', 0], ['1', 1], ['2L', 2], ['7.', 7], ['.5', 0.5], ['1E1', 10], ['0xA', 10], ['017', 15])
  .map(([text, number]) => ({ binds: BINDS.atom, text: String(text), value: () => Number(number) }));

interface Name extends Node<Amount> {
  raw(values: Values): string | undefined;
}

const name: fc.Arbitrary<Name> = fc.constantFrom(...NAMES).map((text) => ({
  binds: BINDS.atom,
  text,
  raw: (all) => all[plain(text)],
  value: (all) => {
    const raw = all[plain(text)];
    return raw === undefined ? null : numberOf(raw);
  },
}));

const OPERATIONS: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
};

const { amount } = fc.letrec<{ amount: Node<Amount> }>((tie) => ({
  amount: fc.oneof(
    { maxDepth: 3 },
    literal,
    name,
    fc.tuple(fc.constantFrom('-', '+'), tie('amount')).map(([sign, of]) => ({
      binds: BINDS.sign,
      text: `${sign} ${within(of, BINDS.sign)}`,
      value: (all: Values) => {
        const number = of.value(all);
        return number === null || sign === '+' ? number : -number;
      },
    })),
    fc.tuple(fc.constantFrom('+', '-', '*', '/', '%'), tie('amount'), tie('amount')).map(([operator, left, right]) => {
      const binds = '+-'.includes(operator) ? BINDS.sum : BINDS.product;
      return {
        binds,
        text: `${within(left, binds)} ${operator} ${within(right, binds + 1)}`,
        value: (all: Values) => {
          const [a, b] = [left.value(all), right.value(all)];
          return a === null || b === null ? null : (OPERATIONS[operator]?.(a, b) ?? null);
        },
      };
    }),
  ),
}));

// --- conditions -----------------------------------------------------------------------------------------------------

const spelled = (word: string): fc.Arbitrary<string> => fc.constantFrom(word, word.toLowerCase());
const some: fc.Arbitrary<string> = fc.constantFrom('', 'x', 'true', '1', '%', '_', 'x%y', "it's");
const inQuotes = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const certain = (is: boolean): number => (is ? 1 : 0);

function relation(operator: string, a: Amount, b: Amount): number {
  if (a === null || b === null) return 0.5;
  if (Number.isNaN(a) || Number.isNaN(b)) return 0;
  const order = a < b ? '<' : a > b ? '>' : '=';
  return certain(operator.includes(order));
}

const comparison = fc
  .tuple(fc.constantFrom('=', '<>', '<', '<=', '>', '>='), amount, amount)
  // Two headers may be equal as texts.
  .filter(
    ([operator, left, right]) =>
      operator.length + (operator === '=' ? 1 : 0) !== 2 || !('raw' in left && 'raw' in right),
  )
  .map(([operator, left, right]) => ({
    binds: BINDS.predicate,
    text: `${within(left, BINDS.sum)} ${operator} ${within(right, BINDS.sum)}`,
    value: (all: Values) => relation(operator, left.value(all), right.value(all)),
  }));

const between = fc.tuple(fc.boolean(), amount, amount, amount).map(([negated, what, low, high]) => ({
  binds: BINDS.predicate,
  text: `${within(what, BINDS.sum)}${negated ? ' NOT' : ''} BETWEEN ${within(low, BINDS.sum)} AND ${within(high, BINDS.sum)}`,
  value: (all: Values) => {
    const [value, from, to] = [what.value(all), low.value(all), high.value(all)];
    return negated
      ? Math.max(relation('<', value, from), relation('>', value, to))
      : Math.min(relation('>=', value, from), relation('<=', value, to));
  },
}));

/** What is asked of a header's text: unknown where there is none. */
function asked(of: Name, text: string, is: (raw: string) => boolean): Node<number> {
  return {
    binds: BINDS.predicate,
    text: `${of.text} ${text}`,
    value: (all) => {
      const raw = of.raw(all);
      return raw === undefined ? 0.5 : certain(is(raw));
    },
  };
}

const equality = fc
  .tuple(name, fc.boolean(), some)
  .map(([of, equal, text]) => asked(of, `${equal ? '=' : '<>'} ${inQuotes(text)}`, (raw) => (raw === text) === equal));

const membership = fc
  .tuple(name, fc.boolean(), fc.array(some, { minLength: 1, maxLength: 3 }))
  .map(([of, negated, texts]) =>
    asked(
      of,
      `${negated ? 'not ' : ''}IN (${texts.map(inQuotes).join(', ')})`,
      (raw) => texts.includes(raw) !== negated,
    ),
  );

const REGULAR: ReadonlyMap<string, string> = new Map([
  ['%', '.*'],
  ['_', '.'],
  ['.', '\\.'],
]);
const patterns = fc.array(fc.constantFrom('%', '_', 'x', 'y', '!%', '!_', '.'), { maxLength: 5 });
const likeness = fc.tuple(name, fc.boolean(), patterns).map(([of, negated, parts]) => {
  const regular = parts.map((each) => REGULAR.get(each) ?? each.replace('!', ''));
  const fits = new RegExp(`^${regular.join('')}$`, 'su');
  return asked(of, `${negated ? 'NOT ' : ''}LIKE '${parts.join('')}' ESCAPE '!'`, (raw) => fits.test(raw) !== negated);
});

const nothing = fc.tuple(name, fc.boolean(), spelled('NULL')).map(([of, negated, word]) => ({
  binds: BINDS.predicate,
  text: `${of.text} IS ${negated ? 'NOT ' : ''}${word}`,
  value: (all: Values) => certain((of.raw(all) === undefined) !== negated),
}));

const header = name.map((of) => ({
  binds: BINDS.atom,
  text: of.text,
  value: (all: Values) => {
    const raw = of.raw(all);
    return raw === undefined ? 0.5 : truthOf(raw) || 0;
  },
}));

const constant = fc
  .boolean()
  .chain((is) => spelled(is ? 'TRUE' : 'FALSE').map((text) => ({ binds: BINDS.atom, text, value: () => certain(is) })));

/** Conditions, and what they are for given headers: 0, ½ or 1. */
export const { condition } = fc.letrec<{ condition: Node<number> }>((tie) => {
  const joined = (word: 'OR' | 'AND', binds: number): fc.Arbitrary<Node<number>> =>
    fc.tuple(spelled(word), fc.array(tie('condition'), { minLength: 2, maxLength: 3 })).map(([text, parts]) => ({
      binds,
      text: parts.map((each) => within(each, binds)).join(` ${text} `),
      value: (all) => (word === 'OR' ? Math.max : Math.min)(...parts.map((each) => each.value(all))),
    }));
  return {
    condition: fc.oneof(
      { maxDepth: 4 },
      fc.oneof(comparison, between, equality, membership, likeness, nothing, header, constant),
      joined('OR', BINDS.or),
      joined('AND', BINDS.and),
      fc.tuple(spelled('NOT'), tie('condition')).map(([word, of]) => ({
        binds: BINDS.not,
        text: `${word} ${within(of, BINDS.not)}`,
        value: (all: Values) => 1 - of.value(all),
      })),
    ),
  };
});
