import * as assert from 'uvu/assert';
import type { ServerFrame } from './frames.ts';
import { Harness, type TestClient } from './harness.ts';

/** For tests of statements that are the same in several versions. */

export type VersionName = '1.0' | '1.1' | '1.2';
export const ALL: readonly VersionName[] = ['1.0', '1.1', '1.2'];

/** The headers with which the version's ACK and NACK name a MESSAGE. */
export function naming(version: VersionName, message: ServerFrame | undefined): string[] {
  const headers = message?.headers ?? {};
  if (version === '1.2') return [`id:${headers.ack}`];
  const lines = [`message-id:${headers['message-id']}`];
  return version === '1.1' ? [...lines, `subscription:${headers.subscription}`] : lines;
}

export interface Opened {
  readonly harness: Harness;
  readonly client: TestClient;
}

/** A client subscribed to the queue `a` with the id 1, and those messages in the queue. */
export async function consuming(
  version: VersionName,
  lines: readonly string[],
  ...bodies: readonly string[]
): Promise<Opened & { readonly messages: readonly ServerFrame[] }> {
  const harness = Harness.open();
  const client = harness.connect(version);
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', ...lines]);
  await client.turn();
  for (const body of bodies) harness.publish('$queue/a', body, undefined, 1);
  return { harness, client, messages: await client.later() };
}

/** What is in the queue, with consumers or not, as another client sees it that comes now; `*` marks what is redelivered. */
export async function rest(harness: Harness, queue = 'a'): Promise<string[]> {
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', `destination:/queue/${queue}`]);
  const frames = await client.later();
  client.drop();
  return frames.map(({ body, headers }) => `${body}${headers.redelivered === 'true' ? '*' : ''}`);
}

/** The ids of the RECEIPTs that came since the last call. */
export function receipts(client: TestClient): (string | undefined)[] {
  return client.frames().flatMap(({ command, headers }) => (command === 'RECEIPT' ? [headers['receipt-id']] : []));
}

/**
 * What every ERROR about a frame is like: a message, the frame's receipt as receipt-id, a body that says it at length, with what to
 * do about it; and the connection is closed.
 */
export function refused(client: TestClient, receipt: string | undefined, text: string | RegExp, advice?: string): void {
  const error = client.frames().at(-1);
  assert.is(error?.command, 'ERROR');
  assert.ok((error?.headers.message ?? '').length > 0, 'a short description');
  assert.is(error?.headers['receipt-id'], receipt);
  assert.is(error?.headers['content-type'], 'text/plain');
  assert.is(Number(error?.headers['content-length']), error?.body.length);
  assert.match(String(error?.body), text);
  if (advice !== undefined) assert.match(String(error?.body), advice);
  assert.ok(client.closed, 'closed right after it');
  client.channel.receive(Buffer.from('SEND\ndestination:/topic/after\nreceipt:after\n\n\0'), 0);
  assert.equal(client.frames(), [], 'nothing after it is looked at');
}
