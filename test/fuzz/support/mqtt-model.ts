/** What MQTT asks of a server, for a few clients that acknowledge everything at once: the model of `mqtt-sequences.ts`. */

export type Qos = 0 | 1 | 2;

/** A message as a client sees it. */
export interface Seen {
  readonly topic: string;
  readonly payload: string;
  readonly qos: Qos;
  readonly retain: boolean;
}

interface Kept {
  readonly payload: string;
  readonly qos: Qos;
}

interface Session {
  readonly subscriptions: Map<string, Qos>;
  /** Outlives its connection. */
  lasting: boolean;
  connected: boolean;
  /** For a client that is away. */
  readonly waiting: Seen[];
}

/** Whether a filter matches a topic, by the text of 4.7: `#` and what is before it, `+` for one level. */
export function matches(filter: string, topic: string): boolean {
  const escaped = filter.replaceAll(/[.*?^${}()|[\]\\]/g, '\\$&');
  const pattern = escaped.replaceAll('+', '[^/]*').replace(/^#$/, '.*').replace(/\/#$/, '(/.*)?');
  return new RegExp(`^${pattern}$`, 's').test(topic);
}

const lower = (a: Qos, b: Qos): Qos => (a < b ? a : b);

export class MqttModel {
  readonly #sessions = new Map<string, Session>();
  readonly #retained = new Map<string, Kept>();

  connected(clientId: string): boolean {
    return this.#sessions.get(clientId)?.connected ?? false;
  }

  /** Whether a session is present, and what has waited for it. */
  connect(clientId: string, clean: boolean, lasting: boolean): { readonly present: boolean; readonly waiting: Seen[] } {
    const known = this.#sessions.get(clientId);
    // A connection that is taken over ends, and with it a session that does not outlive it.
    const kept = known?.lasting && !clean ? known : undefined;
    const session = kept ?? { subscriptions: new Map(), lasting, connected: true, waiting: [] };
    session.lasting = lasting;
    session.connected = true;
    this.#sessions.set(clientId, session);
    return { present: kept !== undefined, waiting: session.waiting.splice(0) };
  }

  leave(clientId: string): void {
    const session = this.#sessions.get(clientId);
    if (session === undefined) return;
    session.connected = false;
    if (!session.lasting) this.#sessions.delete(clientId);
  }

  /** The retained messages that the subscription brings. */
  subscribe(clientId: string, filter: string, qos: Qos): Seen[] {
    this.#sessions.get(clientId)?.subscriptions.set(filter, qos);
    return [...this.#retained].flatMap(([topic, kept]) =>
      matches(filter, topic) ? [{ topic, payload: kept.payload, qos: lower(kept.qos, qos), retain: true }] : [],
    );
  }

  unsubscribe(clientId: string, filter: string): boolean {
    return this.#sessions.get(clientId)?.subscriptions.delete(filter) ?? false;
  }

  /** Who gets it now: overlapping subscriptions bring it once, at the highest of their QoS. */
  publish(topic: string, payload: string, qos: Qos, retain: boolean): Map<string, Seen> {
    if (retain && payload === '') this.#retained.delete(topic);
    else if (retain) this.#retained.set(topic, { payload, qos });
    const delivered = new Map<string, Seen>();
    for (const [clientId, { subscriptions, connected, waiting }] of this.#sessions) {
      const matching = [...subscriptions].filter(([filter]) => matches(filter, topic));
      if (matching.length === 0) continue;
      let highest: Qos = 0;
      for (const [, granted] of matching) if (granted > highest) highest = granted;
      const message = { topic, payload, qos: lower(qos, highest), retain: false };
      if (connected) delivered.set(clientId, message);
      else if (message.qos > 0) waiting.push(message);
    }
    return delivered;
  }
}
