import { BrokerError, type FaultCode } from '../../src/core/errors.ts';

/**
 * Why a frame is not taken. An ERROR frame says it in its body: what was wrong with which header, what was expected,
 * and what to do about it (`advice`). The connection always closes afterwards (STOMP 1.2, ERROR).
 */
export class Refusal extends BrokerError {
  readonly advice: string;

  constructor(code: FaultCode, detail: string, advice = '') {
    super(code, detail);
    this.advice = advice;
  }
}

/** What a client sent, shown within a sentence: cut short, and on one line. */
export function shown(text: string): string {
  const cut = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  return JSON.stringify(cut);
}
