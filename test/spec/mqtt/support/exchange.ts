import type { TestBroker } from '../../../support/broker.ts';
import { type Packet, RawMqtt } from '../../../support/mqtt-client.ts';
import type { ScramClient } from '../../../support/scram-client.ts';

/** CONNECT and AUTH of enhanced authentication, step by step. */

export const CONTINUE = 0x18;
export const AGAIN = 0x19;

export type Auth = Extract<Packet, { cmd: 'auth' }>;

/** A connection that has sent a CONNECT with the properties, and nothing else. */
export async function begin({ mqtt }: TestBroker, properties: object, options: object = {}): Promise<RawMqtt> {
  const client = await RawMqtt.open(mqtt, 5);
  client.send({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 5,
    clean: true,
    clientId: '',
    keepalive: 60,
    properties,
    ...options,
  });
  return client;
}

export function asking(scram: ScramClient): { authenticationMethod: string; authenticationData: Buffer } {
  return { authenticationMethod: scram.method, authenticationData: scram.first() };
}

export function auth(client: RawMqtt, reasonCode: number, properties: object): void {
  client.send({ cmd: 'auth', reasonCode, properties });
}

/** The server's challenge is answered. */
export async function answer(client: RawMqtt, scram: ScramClient): Promise<Auth> {
  const challenge = await client.expect('auth');
  if (challenge.reasonCode !== CONTINUE) throw new Error(`expected 0x18, got ${challenge.reasonCode}`);
  const authenticationData = scram.final(challenge.properties?.authenticationData);
  auth(client, CONTINUE, { authenticationMethod: scram.method, authenticationData });
  return challenge;
}

/** CONNECT and the exchange; what comes next is CONNACK. */
export async function exchange(server: TestBroker, scram: ScramClient, options: object = {}): Promise<RawMqtt> {
  const client = await begin(server, asking(scram), options);
  await answer(client, scram);
  return client;
}

/** A client that is connected by it. */
export async function connected(server: TestBroker, scram: ScramClient, options: object = {}): Promise<RawMqtt> {
  const client = await exchange(server, scram, options);
  const connack = await client.expect('connack');
  if (connack.reasonCode !== 0) throw new Error(`refused: ${JSON.stringify(connack)}`);
  return client;
}

/** The last packet before the close, as `cmd reason`, and what it says. */
export async function ending(client: RawMqtt): Promise<{ end: string; count: number; text: string }> {
  const packets = await client.end();
  const last = packets.at(-1);
  const told = last?.cmd === 'connack' || last?.cmd === 'disconnect' ? last : undefined;
  const end = told === undefined ? `${last?.cmd}` : `${told.cmd} ${told.reasonCode?.toString(16)}`;
  return { end, count: packets.length, text: told?.properties?.reasonString ?? '' };
}
