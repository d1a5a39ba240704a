import { chain, negated, operationOf, type Step } from './arithmetic.ts';
import { between, compare, isIn, isLike, isNull } from './comparison.ts';
import { fault, quoted } from './fault.ts';
import type { Token } from './lexer.ts';
import { and, not, or } from './logic.ts';
import { type Naming, readOf } from './names.ts';
import { type Condition, conditionOf, headerOf, numericOf, type Operand } from './operand.ts';

/**
 * The grammar, from what binds least to what binds most. Only parentheses nest: of everything else there is a list.
 *
 *     condition: conjunction { OR conjunction }
 *     conjunction: negation { AND negation }
 *     negation: { NOT } predicate
 *     predicate: sum [ comparison sum | [NOT] BETWEEN … | [NOT] IN … | [NOT] LIKE … | IS [NOT] NULL ]
 *     sum: product { + - product }
 *     product: factor { * / % factor }
 *     factor: { + - } literal, name or ( condition )
 */
export class Parser {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  readonly #depthMax: number;
  readonly #naming: Naming | undefined;
  #next = 0;
  #depth = 0;

  constructor(source: string, tokens: readonly Token[], depthMax: number, naming: Naming | undefined) {
    this.#source = source;
    this.#tokens = tokens;
    this.#depthMax = depthMax;
    this.#naming = naming;
  }

  whole(): Operand {
    const whole = this.#condition();
    if (this.#token.kind !== 'end') throw this.#unexpected('an operator, AND, OR or the end');
    return whole;
  }

  // --- conditions ---------------------------------------------------------------------------------------------------

  #condition(): Operand {
    return this.#joined('OR', or, () => this.#joined('AND', and, () => this.#negation()));
  }

  #joined(keyword: string, join: (conditions: readonly Condition[]) => Condition, part: () => Operand): Operand {
    const first = part();
    if (!this.#isKeyword(keyword)) return first;
    const conditions = [conditionOf(first)];
    while (this.#takeKeyword(keyword)) conditions.push(conditionOf(part()));
    return { kind: 'condition', at: first.at, holds: join(conditions) };
  }

  #negation(): Operand {
    const { at } = this.#token;
    let nots = 0;
    while (this.#takeKeyword('NOT')) nots++;
    const operand = this.#predicate();
    if (nots === 0) return operand;
    const holds = conditionOf(operand);
    return { kind: 'condition', at, holds: nots % 2 === 1 ? not(holds) : holds };
  }

  #predicate(): Operand {
    const left = this.#sum();
    const holds = this.#comparison(left) ?? this.#test(left);
    return holds === undefined ? left : { kind: 'condition', at: left.at, holds };
  }

  #comparison(left: Operand): Condition | undefined {
    const { kind, text } = this.#token;
    if (kind !== 'symbol' || !['=', '<>', '<', '<=', '>', '>='].includes(text)) return undefined;
    this.#next++;
    return compare(text, left, this.#sum());
  }

  #test(left: Operand): Condition | undefined {
    if (this.#takeKeyword('IS')) {
      const negation = this.#takeKeyword('NOT');
      if (!this.#takeKeyword('NULL')) throw this.#unexpected(negation ? 'NULL' : 'NULL or NOT NULL');
      return isNull(negation, headerOf(left, 'IS NULL'));
    }
    const negation = this.#takeKeyword('NOT');
    if (this.#takeKeyword('BETWEEN')) return this.#between(left, negation);
    if (this.#takeKeyword('IN')) return isIn(negation, headerOf(left, 'IN'), this.#texts());
    if (this.#takeKeyword('LIKE')) return this.#like(left, negation);
    if (negation) throw this.#unexpected('BETWEEN, IN or LIKE behind NOT');
    return undefined;
  }

  #between(left: Operand, negation: boolean): Condition {
    const value = numericOf(left);
    const low = numericOf(this.#sum());
    if (!this.#takeKeyword('AND')) throw this.#unexpected('AND and the upper end of BETWEEN');
    return between(negation, value, low, numericOf(this.#sum()));
  }

  #texts(): Set<string> {
    if (!this.#takeSymbol('(')) throw this.#unexpected('( and a list of texts in single quotes');
    const texts = new Set<string>();
    do texts.add(this.#text('a text in single quotes'));
    while (this.#takeSymbol(','));
    if (!this.#takeSymbol(')')) throw this.#unexpected(', or ) in a list');
    return texts;
  }

  #like(left: Operand, negation: boolean): Condition {
    const read = headerOf(left, 'LIKE');
    const pattern = this.#text('a pattern in single quotes');
    if (!this.#takeKeyword('ESCAPE')) return isLike(negation, read, pattern, undefined);
    const { at } = this.#token;
    const escaping = this.#text('a character in single quotes');
    if ([...escaping].length !== 1) throw fault(at, `ESCAPE ${quoted(escaping)}; a single character is expected`);
    return isLike(negation, read, pattern, escaping);
  }

  #text(expected: string): string {
    const { kind, text } = this.#token;
    if (kind !== 'text') throw this.#unexpected(expected);
    this.#next++;
    return text;
  }

  // --- values -------------------------------------------------------------------------------------------------------

  #sum(): Operand {
    return this.#chain('+-', () => this.#chain('*/%', () => this.#factor()));
  }

  #chain(operators: string, part: () => Operand): Operand {
    const first = part();
    const steps: Step[] = [];
    for (;;) {
      const { kind, text } = this.#token;
      const operation = kind === 'symbol' && operators.includes(text) ? operationOf(text) : undefined;
      if (operation === undefined) break;
      // Told first, as it is read first.
      if (steps.length === 0) numericOf(first);
      this.#next++;
      steps.push({ operation, value: numericOf(part()) });
    }
    return steps.length === 0 ? first : { kind: 'number', at: first.at, value: chain(numericOf(first), steps) };
  }

  #factor(): Operand {
    const { at } = this.#token;
    let signs = 0;
    let minus = false;
    for (; this.#isSymbol('+') || this.#isSymbol('-'); signs++) if (this.#take().text === '-') minus = !minus;
    const operand = this.#primary();
    if (signs === 0) return operand;
    const value = numericOf(operand);
    return { kind: 'number', at, value: minus ? negated(value) : value };
  }

  #primary(): Operand {
    const token = this.#token;
    const { kind, at, text, number } = token;
    if (this.#isSymbol('(')) return this.#inParentheses();
    if (kind === 'keyword' && text !== 'TRUE' && text !== 'FALSE') throw this.#unexpected('a value');
    if (kind === 'symbol' || kind === 'end') throw this.#unexpected('a value');
    this.#next++;
    if (kind === 'number') return { kind, at, value: () => number };
    if (kind === 'text') return { kind, at, text };
    if (kind === 'name') return { kind: 'header', at, read: readOf(text, this.#naming) };
    const holds = text === 'TRUE';
    return { kind: 'condition', at, holds: () => holds };
  }

  #inParentheses(): Operand {
    const { at } = this.#take();
    if (this.#depth === this.#depthMax) {
      throw fault(at, `parentheses nest deeper than ${this.#depthMax} (limits.selectorDepth)`);
    }
    this.#depth++;
    const operand = this.#condition();
    this.#depth--;
    if (!this.#takeSymbol(')')) throw this.#unexpected(`) for the ( at character ${at + 1}`);
    return operand;
  }

  // --- tokens -------------------------------------------------------------------------------------------------------

  get #token(): Token {
    const token = this.#tokens[Math.min(this.#next, this.#tokens.length - 1)];
    if (token === undefined) throw new RangeError('no tokens');
    return token;
  }

  #take(): Token {
    const token = this.#token;
    this.#next++;
    return token;
  }

  #isKeyword(keyword: string): boolean {
    const { kind, text } = this.#token;
    return kind === 'keyword' && text === keyword;
  }

  #isSymbol(symbol: string): boolean {
    const { kind, text } = this.#token;
    return kind === 'symbol' && text === symbol;
  }

  #takeKeyword(keyword: string): boolean {
    const is = this.#isKeyword(keyword);
    if (is) this.#next++;
    return is;
  }

  #takeSymbol(symbol: string): boolean {
    const is = this.#isSymbol(symbol);
    if (is) this.#next++;
    return is;
  }

  #unexpected(expected: string): Error {
    const { kind, at, end } = this.#token;
    if (kind === 'end') return fault(at, `it ends here; ${expected} is expected`);
    return fault(at, `${quoted(this.#source.slice(at, end))}; ${expected} is expected`);
  }
}
