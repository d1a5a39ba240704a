import * as assert from 'uvu/assert';
import type { TestBroker } from '../../../support/broker.ts';
import { header, RawStomp, type StompFrame } from '../../../support/stomp-client.ts';

/** Durable subscriptions over real sockets, the log in memory. */

export type Headers = Record<string, string>;

export const NONE: StompFrame = { command: '', headers: [], body: Buffer.alloc(0) };

export const RABBIT: Headers = { id: 'd', destination: '/topic/news.#', durable: 'true', 'auto-delete': 'false' };
export const ACTIVE: Headers = { id: 'a', destination: '/topic/news.#', 'activemq.subscriptionName': 'reader' };

/** Sends with a receipt; the messages that came before it. */
export async function receipted(client: RawStomp, command: string, headers: Headers, body = ''): Promise<StompFrame[]> {
  const receipt = `r-${command}-${body}`;
  client.send(command, { ...headers, receipt }, body);
  const frames: StompFrame[] = [];
  for (let frame = await client.next(); frame.command !== 'RECEIPT'; frame = await client.next()) {
    if (frame.command !== 'MESSAGE') throw new Error(`${frame.command}: ${frame.body}`);
    frames.push(frame);
  }
  return frames;
}

/** A connection that has the durable subscription, which is new or has nothing waiting. */
export async function subscribed({ stomp }: TestBroker, headers: Headers, login: Headers = {}): Promise<RawStomp> {
  const client = await RawStomp.connect(stomp, login);
  assert.equal(await receipted(client, 'SUBSCRIBE', headers), []);
  return client;
}

/** One that does not ask for a receipt, behind which messages might come. */
export async function returned({ stomp }: TestBroker, headers: Headers, login: Headers = {}): Promise<RawStomp> {
  const client = await RawStomp.connect(stomp, login);
  client.send('SUBSCRIBE', headers);
  return client;
}

export async function publish(
  { stomp }: TestBroker,
  bodies: readonly string[],
  destination = '/topic/news.a',
): Promise<void> {
  const client = await RawStomp.connect(stomp, { 'client-id': 'publisher' });
  for (const body of bodies) await receipted(client, 'SEND', { destination }, body);
  await goodbye(client);
}

export async function goodbye(client: RawStomp): Promise<void> {
  client.send('DISCONNECT', { receipt: 'bye' });
  assert.is(header(await client.expect('RECEIPT'), 'receipt-id'), 'bye');
  await client.end();
}

export async function messages(client: RawStomp, count: number): Promise<StompFrame[]> {
  const frames: StompFrame[] = [];
  while (frames.length < count) frames.push(await client.expect('MESSAGE'));
  return frames;
}

/** Bodies, with a `*` behind those that are said to come again. */
export function shown(frames: readonly StompFrame[]): string[] {
  return frames.map((frame) => `${frame.body}${header(frame, 'redelivered') === 'true' ? '*' : ''}`);
}

export function ack(client: RawStomp, frame: StompFrame | undefined): Promise<StompFrame[]> {
  if (frame === undefined) throw new Error('no message to acknowledge');
  return receipted(client, 'ACK', { id: header(frame, 'ack') ?? '' });
}

/** What a client gets that subscribes now, until something published afterwards comes. */
export async function rest(broker: TestBroker, headers: Headers, login: Headers = {}): Promise<string[]> {
  const client = await returned(broker, headers, login);
  const probe = await RawStomp.connect(broker.stomp);
  probe.send('SEND', { destination: '/topic/news.end', persistent: 'true' }, 'end');
  const frames: StompFrame[] = [];
  for (;;) {
    const frame = await client.next();
    if (frame.command !== 'MESSAGE') continue;
    if (`${frame.body}` === 'end') break;
    frames.push(frame);
  }
  client.send('DISCONNECT', { receipt: 'bye' });
  await client.end();
  await goodbye(probe);
  return shown(frames);
}

export async function errorOf(client: RawStomp): Promise<string> {
  const frames = await client.end();
  const last = frames.at(-1);
  assert.is(last?.command, 'ERROR');
  return `${last?.body}`;
}
