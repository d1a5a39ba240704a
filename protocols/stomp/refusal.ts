import { BrokerError, FAULTS, type FaultCode } from '../../src/core/errors.ts';

/**
 * Why a frame is not taken. An ERROR frame says it in its body: what was wrong with which header, what was expected,
 * and what to do about it (`advice`). The connection always closes afterwards (STOMP 1.2, ERROR).
 *
 * `title` is the frame's header `message`, for programs. Those written for RabbitMQ compare it with RabbitMQ's words, which stand
 * here where it has some; else it is the text of the code.
 */
export class Refusal extends BrokerError {
  readonly advice: string;
  readonly title: string;

  constructor(code: FaultCode, detail: string, advice = '', title = titleOf(code)) {
    super(code, detail);
    this.advice = advice;
    this.title = title;
  }
}

const TITLES: { readonly [K in FaultCode]?: string } = {
  unsupportedVersion: 'Version mismatch',
  badCredentials: 'Bad CONNECT',
  notAuthorized: 'access_refused',
  notFound: 'not_found',
  topicInvalid: 'Invalid destination',
  filterInvalid: 'Invalid destination',
};

function titleOf(code: FaultCode): string {
  return TITLES[code] ?? FAULTS[code].text;
}

/** What is in a header is looked at here; that something is there already, and set otherwise, is said by the broker. */
const OTHERWISE = 'precondition_failed';

/** The header `message` of an ERROR. */
export function titleOfError(error: BrokerError): string {
  if (error instanceof Refusal) return error.title;
  return error.code === 'fieldInvalid' ? OTHERWISE : titleOf(error.code);
}

const ADVICE: { readonly [K in FaultCode]?: string } = {
  shutdown: 'Connect again in a while.',
  administrative: 'Ask the operator before you connect again.',
  slowReader: 'Read what is sent to you, or ask for less of it: a smaller prefetch, fewer subscriptions.',
  internal: 'Connect again; the log of the server says more to its operator.',
  unavailable: 'Try again in a while.',
  fieldInvalid: 'Correct it, or leave it out.',
};

/** What to do about an error; empty where there is nothing to say. */
export function adviceOf(error: BrokerError): string {
  return (error instanceof Refusal ? error.advice : '') || (ADVICE[error.code] ?? '');
}

/** What a client sent, shown within a sentence: cut short, and on one line. */
export function shown(text: string): string {
  const cut = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  return JSON.stringify(cut);
}
