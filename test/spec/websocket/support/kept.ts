import type { TestBroker } from '../../../support/broker.ts';
import { type Json, RawJson } from '../../../support/json-client.ts';

/** Sessions that outlive their connections, over real sockets: what their tests publish and see. */

/** Durable messages for a topic, or for what `to` names. */
export async function publish(
  { http }: TestBroker,
  payloads: readonly string[],
  to: Json = { topic: 'news/a' },
): Promise<void> {
  const client = await RawJson.connect(http, { clientId: 'publisher' });
  for (const payload of payloads) await client.request({ type: 'publish', ...to, payload, durable: true });
  client.destroy();
}

export async function messages(client: RawJson, count: number): Promise<Json[]> {
  const list: Json[] = [];
  while (list.length < count) list.push(await client.expect('message'));
  return list;
}

/** Payloads, with a `*` behind those that are said to come again. */
export function shown(list: readonly Json[]): string[] {
  return list.map(({ payload, redelivered }) => `${payload}${redelivered === true ? '*' : ''}`);
}

/** Nothing comes before the answer to a ping behind a durable publish of its own. */
export async function quiet(client: RawJson): Promise<void> {
  await client.request({ type: 'publish', topic: 'elsewhere', payload: '', durable: true });
  client.send({ type: 'ping' });
  await client.expect('pong');
}
