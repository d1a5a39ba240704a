import * as assert from 'uvu/assert';
import type { TestClient } from './harness.ts';

/** The last that came is an ERROR that says so, with that receipt-id where one is given, and the connection is closed. */
export function expectError(client: TestClient, text: string | RegExp, receipt?: string): void {
  const last = client.frames().at(-1);
  assert.is(last?.command, 'ERROR');
  assert.match(String(last?.body), text);
  if (receipt !== undefined) assert.is(last?.headers['receipt-id'], receipt);
  assert.ok(client.closed);
}
