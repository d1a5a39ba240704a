import { BrokerError } from '../../src/core/errors.ts';
import { Message } from '../../src/core/message.ts';
import { NameCache, topicFault } from '../../src/core/topic.ts';
import type { Services, Sessions } from '../../src/ports/routing.ts';
import type { Login } from './login.ts';
import { decodeText } from './reader.ts';
import { type Holder, MqttSession } from './session.ts';

/** What all MQTT connections of a broker share: the sessions and decoded topic names. */
export class MqttServer {
  readonly services: Services;
  readonly topics: NameCache;
  readonly #sessions: Sessions<MqttSession>;

  constructor(services: Services) {
    this.services = services;
    this.#sessions = services.sessions<MqttSession>();
    this.topics = new NameCache((bytes) => {
      const text = decodeText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length);
      return text !== undefined && topicFault(text, services.limits) === undefined ? text : undefined;
    });
  }

  /** The session of a login, taken over from another connection, found again, or new. */
  claim(login: Login, holder: Holder): { session: MqttSession; present: boolean } {
    const found = this.#sessions.find(login.clientId);
    if (found !== undefined && found.principal !== login.principal.name) {
      throw new BrokerError('identifierInvalid', 'this client identifier has a session of another user');
    }
    // Ends in `release`: afterwards the session is detached, or gone.
    found?.holder?.takenOver();
    const kept = this.#sessions.find(login.clientId);
    if (kept !== undefined && login.cleanStart) this.#end(kept);
    const present = kept !== undefined && !login.cleanStart;
    const session = present ? kept : new MqttSession(login.clientId, login.principal.name, this.services);
    if (present) {
      this.#sessions.attach(session);
      this.services.wills.cancel(login.clientId);
    } else {
      this.#sessions.add(session);
    }
    session.holder = holder;
    return { session, present };
  }

  /** A connection lets go of its session: the session is kept for its time, or ends. */
  release(session: MqttSession, login: Login, withWill: boolean): void {
    session.holder = undefined;
    session.detach();
    if (withWill && login.will !== undefined) {
      this.services.wills.publish(login.clientId, restamped(login.will, this.services.clock.now()), login.willDelay);
    }
    if (login.sessionExpiry > 0) this.#sessions.detach(session, login.sessionExpiry);
    else this.#end(session);
  }

  #end(session: MqttSession): void {
    this.#sessions.remove(session);
    session.end();
    // [MQTT-3.1.2-8]: a will waits no longer than its session.
    this.services.wills.release(session.clientId);
  }
}

/** A will's expiry counts from when it is published (3.1.3.2.4). */
function restamped(will: Message, now: number): Message {
  const expiresAt = will.properties?.expiresAt;
  const properties =
    expiresAt === undefined ? will.properties : { ...will.properties, expiresAt: expiresAt - will.timestamp + now };
  const { topic, data, start, end, qos, retain, publisher } = will;
  return new Message(topic, data, start, end, qos, retain, properties, publisher, now, true);
}
