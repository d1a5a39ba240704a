import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** Answers are small and whole: one call writes status, headers and body. */

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly headers: OutgoingHttpHeaders;
}

/** `body` false: to HEAD, with the headers that GET would get. */
export function respond(response: ServerResponse, answer: Answer, body: boolean): void {
  response.writeHead(answer.status, {
    'X-Content-Type-Options': 'nosniff',
    // Node sends no body with 304; a length would be that of what was not sent.
    ...(answer.status !== 304 && { 'Content-Length': answer.body.length }),
    ...answer.headers,
  });
  response.end(body ? answer.body : undefined);
}

export function json(status: number, value: object, headers: OutgoingHttpHeaders = {}): Answer {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  return {
    status,
    body,
    headers: { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store', ...headers },
  };
}
