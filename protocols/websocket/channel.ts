import { BrokerError, FAULTS } from '../../src/core/errors.ts';
import type { LoginRefusal, Principal } from '../../src/ports/authorizer.ts';
import type { Channel } from '../../src/ports/protocol.ts';
import type { Place, Services } from '../../src/ports/routing.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { Answers } from './answers.ts';
import { JsonClient } from './client.ts';
import { type ErrorCode, type JsonObject, parseRequest, RequestError, readId } from './codec.ts';
import type { MessageEncoder } from './encoder.ts';
import { HeldRequests } from './held-requests.ts';
import { type Kept, KeptSession } from './kept-session.ts';
import { type Hello, readHello, readType, type Wanted, welcome } from './requests.ts';

/** One connection: from `hello` to `goodbye`. */
export class JsonChannel implements Channel {
  readonly #services: Services;
  readonly #connection: Connection;
  readonly #encoder: MessageEncoder;
  readonly #answers: Answers;
  readonly #openedAt: number;
  /** Set when `hello` is answered. */
  #client: JsonClient | undefined;
  /** What comes while the session of a `hello` is being opened. */
  #held: HeldRequests | undefined;
  /** The id of the request at hand, as JSON text. */
  #id: string | undefined;

  constructor(services: Services, connection: Connection, encoder: MessageEncoder) {
    this.#services = services;
    this.#connection = connection;
    this.#encoder = encoder;
    this.#answers = new Answers(connection);
    this.#openedAt = services.clock.now();
  }

  // --- from the peer and the transport ------------------------------------------------------------------------------

  receive(chunk: Buffer, now: number): void {
    if (this.#answers.over) return;
    this.#id = undefined;
    this.#attempt(() => {
      if (this.#held !== undefined) this.#held.add(chunk);
      else this.#handle(chunk, now);
    });
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#answers.refuse(error.code, error.message, this.#id, error.field);
      if (error.closes) this.#end(error.code, error.message);
    }
  }

  drained(): void {
    this.#client?.pump();
  }

  tick(now: number): void {
    const seconds = this.#services.limits.loginSeconds;
    if (this.#client !== undefined || this.#answers.over || now - this.#openedAt < seconds * 1000) return;
    this.#end('timeout', `no hello was accepted within ${seconds} seconds (limits.loginSeconds)`);
  }

  closed(): void {
    this.#release();
  }

  shutdown(code: 'administrative' | 'shutdown' | 'slowReader' | 'tooLarge' | 'malformed' | 'internal'): void {
    this.#end(code, FAULTS[code].text);
  }

  // --- requests -----------------------------------------------------------------------------------------------------

  #handle(chunk: Buffer, now: number): void {
    this.#services.counters.packetsReceived++;
    const { loginPacketBytes, packetBytes } = this.#services.limits;
    const client = this.#client;
    const request = parseRequest(chunk, client === undefined ? loginPacketBytes : packetBytes);
    if (client === undefined && request.type !== 'hello') {
      throw new RequestError('protocol', 'type', 'the first message must be a hello', true);
    }
    this.#id = readId(request);
    const type = readType(request);
    if (type === 'hello') this.#hello(request);
    else if (type === 'ping') this.#answers.answer('pong', this.#id);
    else client?.do(type, request, this.#id, now);
  }

  #hello(request: JsonObject): void {
    const { clock, counters, limits } = this.#services;
    counters.logins++;
    if (this.#client !== undefined) {
      throw new RequestError('protocol', 'type', 'hello came twice; a connection has one client', true);
    }
    const hello = readHello(request, limits);
    const clientId = hello.clientId ?? `websocket-${Buffer.from(clock.random(9)).toString('hex')}`;
    const { userName, password } = hello;
    const { peer } = this.#connection;
    const verdict = this.#services.authorizer.authenticate({
      peer,
      protocol: 'websocket',
      clientId,
      userName,
      password,
      abandoned: () => this.#answers.over,
    });
    if (!(verdict instanceof Promise)) {
      this.#enter(hello, clientId, verdict);
      return;
    }
    const id = this.#id;
    this.#hold();
    verdict.then(
      (found) => this.#checked(hello, clientId, found, id),
      (error: unknown) => this.#failed(error, id, clientId),
    );
  }

  #checked(hello: Hello, clientId: string, verdict: Principal | LoginRefusal, id: string | undefined): void {
    if (this.#answers.over) return;
    this.#attempt(() => {
      this.#id = id;
      this.#enter(hello, clientId, verdict);
    });
    // A session that is being opened holds on.
    if (this.#client !== undefined) this.#proceed();
  }

  #enter(hello: Hello, clientId: string, principal: Principal | LoginRefusal): void {
    if (typeof principal === 'string') throw new RequestError(principal, undefined, FAULTS[principal].text, true);
    const client = new JsonClient({
      services: this.#services,
      connection: this.#connection,
      encoder: this.#encoder,
      answers: this.#answers,
      clientId,
      principal,
    });
    if (hello.session !== undefined) this.#open(hello.session, client);
    else this.#admit(client, this.#id, '');
  }

  /** Requests behind hello wait until it is answered. */
  #hold(): void {
    if (this.#held !== undefined) return;
    this.#held = new HeldRequests(this.#services.limits.packetBytes);
    this.#connection.pause();
  }

  #proceed(): void {
    const held = this.#held?.take() ?? [];
    this.#held = undefined;
    this.#connection.resume();
    for (const chunk of held) this.receive(chunk, this.#services.clock.now());
  }

  #failed(error: unknown, id: string | undefined, clientId: string): void {
    const known = error instanceof BrokerError;
    if (!known) this.#services.logger.error({ err: error, clientId }, 'a client could not be let in');
    const { code, message } = known ? error : new BrokerError('internal');
    this.#answers.refuse(code, message, id);
    this.#end(code, message);
  }

  /** `fields`: more of the answer, as JSON text from the comma on. */
  #admit(client: JsonClient, id: string | undefined, fields: string): void {
    this.#client = client;
    this.#services.counters.loggedIn();
    this.#answers.answer('hello', id, welcome(client.link.clientId, this.#services.limits) + fields);
  }

  // --- the session that outlives the connection ---------------------------------------------------------------------

  #open({ key, seconds }: Wanted, client: JsonClient): void {
    const { sessions } = this.#services;
    const id = this.#id;
    const session = new KeptSession(seconds, client, () => {
      this.#end('takenOver', 'another connection has this session now');
    });
    this.#hold();
    const claim = { key, principal: client.link.principal.name, clean: false, keptFor: seconds };
    sessions.open(claim, session).then(
      (place) => this.#opened(client, session, place, id),
      (error: unknown) => this.#failed(error, id, client.link.clientId),
    );
  }

  #opened(client: JsonClient, session: KeptSession, place: Place, id: string | undefined): void {
    const kept = this.#restore(session, place);
    if (this.#answers.over) {
      session.giveBack();
      return;
    }
    this.#admit(client, id, `,"resumed":${kept !== undefined},"sessionSeconds":${session.seconds}`);
    client.goOn(session, kept);
    // What waited comes before anything is sent: it may settle what would come again.
    this.#proceed();
    client.pump();
  }

  #restore(session: KeptSession, place: Place): Kept | undefined {
    try {
      return session.restore(place);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#services.logger.error({ err: error }, 'a stored session cannot be read; it begins anew');
      return undefined;
    }
  }

  // --- the end ------------------------------------------------------------------------------------------------------

  #end(code: ErrorCode, text: string): void {
    if (this.#answers.over) return;
    // A drain lets clients have what waits for them; after an error of ours nothing of it is touched again.
    if (code === 'shutdown') this.#client?.pump();
    this.#answers.goodbye(code, text);
    this.#release();
    this.#connection.end(code === 'shutdown' ? '' : text);
  }

  #release(): void {
    if (this.#answers.over) return;
    this.#answers.over = true;
    if (this.#client !== undefined) {
      this.#services.counters.loggedOut();
      this.#client.close();
    }
    this.#held = undefined;
  }
}
