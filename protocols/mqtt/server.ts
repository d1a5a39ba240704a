import { NameCache, topicFault } from '../../src/core/topic.ts';
import type { Place, Services } from '../../src/ports/routing.ts';
import type { Capabilities } from './capabilities.ts';
import type { Login } from './login.ts';
import { decodeText } from './reader.ts';
import type { MqttSession } from './session.ts';

/** What all MQTT connections of a broker share: the broker's services and decoded topic names. */
export class MqttServer {
  readonly services: Services;
  readonly capabilities: Capabilities;
  readonly topics: NameCache;

  constructor(services: Services, capabilities: Capabilities) {
    this.services = services;
    this.capabilities = capabilities;
    this.topics = new NameCache((bytes) => {
      const text = decodeText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length);
      return text !== undefined && topicFault(text, services.limits) === undefined ? text : undefined;
    });
  }

  /** Takes the session of a login over, from another connection or from the store, or makes a new one. */
  async open(login: Login, session: MqttSession): Promise<Place> {
    const { sessions, wills } = this.services;
    const key = keyOf(login.clientId);
    const { principal, cleanStart: clean, sessionExpiry: keptFor } = login;
    const place = await sessions.open({ key, principal: principal.name, clean, keptFor }, session);
    if (place.kept !== undefined) wills.cancel(key);
    // It has a connection now: its time does not run.
    void place.save();
    return place;
  }

  /** The client is connected: its will is published if it is lost. */
  arm(login: Login): void {
    if (login.will !== undefined) this.services.wills.arm(keyOf(login.clientId), login.will, delayOf(login));
  }

  /** A connection lets go of its session: the session is kept for its time, or ends. */
  release(session: MqttSession, login: Login, withWill: boolean): void {
    const { wills } = this.services;
    const { clientId, will, sessionExpiry } = login;
    if (will !== undefined && withWill) wills.fire(keyOf(clientId), delayOf(login));
    else if (will !== undefined) wills.cancel(keyOf(clientId));
    session.leave(sessionExpiry);
  }
}

function keyOf(clientId: string): string {
  return `mqtt:${clientId}`;
}

/** Milliseconds until a will is published: its delay, or the session's time, which DISCONNECT may have changed. */
function delayOf({ willDelay, sessionExpiry }: Login): number {
  return Math.min(willDelay, sessionExpiry) * 1000;
}
