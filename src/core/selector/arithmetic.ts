import type { Numeric } from './operand.ts';

/**
 * Arithmetic on doubles, as in ActiveMQ: 7 / 2 is 3.5, since the texts of headers are neither exact nor approximate. With
 * NULL anywhere it is NULL; what is no number makes it none (NaN).
 */
type Operation = (left: number, right: number) => number;

const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ['+', (left, right) => left + right],
  ['-', (left, right) => left - right],
  ['*', (left, right) => left * right],
  ['/', (left, right) => left / right],
  ['%', (left, right) => left % right],
]);

export interface Step {
  readonly operation: Operation;
  readonly value: Numeric;
}

/** undefined when `operator` is none of arithmetic. */
export function operationOf(operator: string): Operation | undefined {
  return OPERATIONS.get(operator);
}

/** From left to right; however many there are, they do not nest. */
export function chain(first: Numeric, steps: readonly Step[]): Numeric {
  return (message) => {
    let result = first(message);
    for (let i = 0; i < steps.length && result !== undefined; i++) {
      const step = steps[i];
      const value = step?.value(message);
      result = step === undefined || value === undefined ? undefined : step.operation(result, value);
    }
    return result;
  };
}

export function negated(value: Numeric): Numeric {
  return (message) => {
    const number = value(message);
    return number === undefined ? undefined : -number;
  };
}
