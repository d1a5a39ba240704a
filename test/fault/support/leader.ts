import { connect } from 'nats';
import type { NatsServer } from '../../support/nats-server.ts';

/** Which of the servers leads the stream. */
export async function leaderOf(stream: string, servers: readonly NatsServer[]): Promise<number> {
  const nats = await connect({ servers: servers.map(({ url }) => url), reconnect: false });
  try {
    const answer: { cluster?: { leader?: string } } = (
      await nats.request(`$JS.API.STREAM.INFO.${stream}`, '', { timeout: 3000 })
    ).json();
    return Number(answer.cluster?.leader?.slice(1) ?? 0);
  } finally {
    await nats.close();
  }
}
