import type { Condition } from './operand.ts';

/** SQL's three-valued logic (JMS 2.0, 3.8.1.2): what is unknown counts only where it could change the outcome. */

export function and(conditions: readonly Condition[]): Condition {
  return (message) => {
    let result: boolean | undefined = true;
    for (let i = 0; i < conditions.length; i++) {
      const holds = conditions[i]?.(message);
      if (holds === false) return false;
      if (holds === undefined) result = undefined;
    }
    return result;
  };
}

export function or(conditions: readonly Condition[]): Condition {
  return (message) => {
    let result: boolean | undefined = false;
    for (let i = 0; i < conditions.length; i++) {
      const holds = conditions[i]?.(message);
      if (holds === true) return true;
      if (holds === undefined) result = undefined;
    }
    return result;
  };
}

export function not(condition: Condition): Condition {
  return (message) => {
    const holds = condition(message);
    return holds === undefined ? undefined : !holds;
  };
}
