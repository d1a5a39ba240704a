import { BrokerError } from '../../src/core/errors.ts';
import type { Publisher } from '../../src/core/message.ts';
import type { Channel } from '../../src/ports/protocol.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { type ClientOwner, StompClient } from './client.ts';
import { Decoder, type FrameHandler } from './codec.ts';
import { writeConnected, writeError, writeReceipt } from './encoder.ts';
import type { Frame } from './frame.ts';
import { agreed, HeartBeat, type HeartBeatOwner } from './heart-beat.ts';
import { HeldReceipts } from './held-receipts.ts';
import { implicitLogin, type Login, login } from './login.ts';
import { Refusal } from './refusal.ts';
import type { StompServer } from './server.ts';
import { VERSION } from './version.ts';
import { COMMAND, HEADER } from './words.ts';

/**
 * - `connecting`: waits for CONNECT.
 * - `checking`: CONNECT has come, its password is being checked; frames behind it wait (clients need not wait for CONNECTED).
 *   So does the first frame itself, where it has to do for CONNECT.
 * - `connected`: serves the client's frames.
 * - `leaving`: DISCONNECT has come, and is answered when what came before it has had its effect.
 * - `over`: the connection is being closed, or is.
 */
type State = 'connecting' | 'checking' | 'connected' | 'leaving' | 'over';

/** One connection of a STOMP client. */
export class StompChannel implements Channel, FrameHandler, ClientOwner, HeartBeatOwner {
  readonly #server: StompServer;
  readonly #connection: Connection;
  readonly #decoder: Decoder;
  #state: State = 'connecting';
  /** When this state began, and the time of the chunk at hand; milliseconds since 1970. */
  #since: number;
  #now: number;
  #client: StompClient | undefined;
  #heartBeat: HeartBeat | undefined;
  #heldReceipts: HeldReceipts | undefined;
  /** Of the DISCONNECT. */
  #farewell: string | undefined;

  constructor(server: StompServer, connection: Connection) {
    this.#server = server;
    this.#connection = connection;
    this.#now = server.services.clock.now();
    this.#since = this.#now;
    this.#decoder = new Decoder(this, server.services.limits);
  }

  // --- from the transport -------------------------------------------------------------------------------------------

  receive(chunk: Buffer, now: number): void {
    if (this.#state === 'over' || this.#state === 'leaving') return;
    this.#now = now;
    this.#heartBeat?.hear(now);
    this.#decode(() => this.#decoder.push(chunk));
  }

  #decode(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      this.#fail(error, this.#decoder.receipt());
    }
    const taken = this.#decoder.taken();
    this.#server.services.counters.packetsReceived += taken;
    if (taken > 0 && this.#client?.holdsReceipts) this.#watch(this.#client);
  }

  #watch(client: StompClient): void {
    const { services, options } = this.#server;
    if (options.heldReceiptMilliseconds === 0) return;
    this.#heldReceipts ??= new HeldReceipts(services.clock, options.heldReceiptMilliseconds, client);
    this.#heldReceipts.heard(this.#now);
  }

  drained(): void {
    this.#client?.pump();
  }

  tick(now: number): void {
    const { loginSeconds, slowReaderSeconds } = this.#server.services.limits;
    const seconds = (now - this.#since) / 1000;
    if (this.#state === 'checking' && seconds > loginSeconds) {
      const detail = `the login was not checked within ${loginSeconds} seconds (limits.loginSeconds)`;
      this.#fail(new Refusal('timeout', detail, 'Try again later.'), undefined);
    } else if (this.#state === 'connecting' && seconds > loginSeconds) {
      const detail = `no CONNECT came within ${loginSeconds} seconds (limits.loginSeconds)`;
      this.#fail(new Refusal('timeout', detail, 'Send it right after opening the connection.'), undefined);
    } else if (this.#state === 'leaving' && seconds > slowReaderSeconds) {
      this.#end('its last messages could not be made durable in time');
    }
  }

  closed(): void {
    this.#release();
  }

  shutdown(code: 'administrative' | 'shutdown' | 'slowReader' | 'tooLarge' | 'malformed' | 'internal'): void {
    // A drain lets clients have what waits for them.
    if (code === 'shutdown') this.#client?.pump();
    this.#fail(new BrokerError(code), undefined);
  }

  // --- frames -------------------------------------------------------------------------------------------------------

  frame(frame: Frame): void {
    const client = this.#client;
    if (client === undefined) {
      if (frame.command === COMMAND.connect) this.#connect(frame);
      else this.#begin(frame);
      return;
    }
    switch (frame.command) {
      case COMMAND.send:
        client.send(frame, this.#now);
        return;
      case COMMAND.ack:
        client.ack(frame);
        return;
      case COMMAND.nack:
        client.nack(frame);
        return;
      case COMMAND.subscribe:
        client.subscribe(frame);
        return;
      case COMMAND.unsubscribe:
        client.unsubscribe(frame);
        return;
      case COMMAND.begin:
        client.begin(frame);
        return;
      case COMMAND.commit:
        client.commit(frame);
        return;
      case COMMAND.abort:
        client.abort(frame);
        return;
      case COMMAND.disconnect:
        this.#disconnect(frame, client);
        return;
      case COMMAND.connect:
        throw new Refusal('protocol', 'a second CONNECT', 'A connection has one login; open another one.');
      default:
        throw new Refusal(
          'protocol',
          'a frame that only servers send',
          'Clients do not send CONNECTED, MESSAGE, RECEIPT or ERROR.',
          'Bad command',
        );
    }
  }

  #connect(frame: Frame): void {
    this.#server.services.counters.logins++;
    // CONNECT has no receipt in the specification; a client that asks for one gets it.
    const receipt = frame.raw(HEADER.receipt);
    const accepted = login(frame, this.#connection.peer, this.#server);
    if (!(accepted instanceof Promise)) {
      this.#admit(accepted);
      this.#welcome(accepted, receipt);
      return;
    }
    this.#decoder.hold();
    this.#check(accepted, receipt, (settled) => this.#welcome(settled, receipt));
  }

  /** The first frame is another one. It is read again once its sender is known, by the rules of 1.0. */
  #begin(frame: Frame): void {
    if (!this.#server.options.implicitConnect) {
      throw new Refusal(
        'protocol',
        'the first frame is not CONNECT',
        'Log in with CONNECT (or STOMP) and wait for CONNECTED.',
        'Illegal command',
      );
    }
    this.#server.services.counters.logins++;
    const accepted = implicitLogin(this.#connection.peer, this.#server);
    this.#decoder.hold(Buffer.from(frame.buffer.subarray(frame.start, frame.bodyEnd + 1)));
    this.#check(Promise.resolve(accepted), frame.raw(HEADER.receipt), () => {});
  }

  #check(accepted: Promise<Login>, receipt: string | undefined, welcome: (accepted: Login) => void): void {
    this.#state = 'checking';
    this.#connection.pause();
    accepted.then(
      (settled) => {
        if (this.#state !== 'checking') return;
        this.#admit(settled);
        welcome(settled);
        this.#connection.resume();
        this.#decode(() => this.#decoder.proceed());
      },
      (error: unknown) => {
        const { logger } = this.#server.services;
        if (!(error instanceof BrokerError)) logger.error({ err: error }, 'a login could not be checked');
        this.#fail(error instanceof BrokerError ? error : new BrokerError('internal'), receipt);
      },
    );
  }

  #admit(accepted: Login): void {
    const { services, names } = this.#server;
    const { clock, counters, limits } = services;
    const connection = this.#connection;
    const { version, session, clientId, named, principal, heartBeat } = accepted;
    const publisher: Publisher = { clientId, protocol: 'stomp' };
    const known = { version, session, clientId, named, principal, publisher };
    this.#client = new StompClient({ connection, services, counters, names, ...known, over: false }, this);
    this.#state = 'connected';
    counters.loggedIn();
    this.#decoder.admit(version);
    const own = limits.heartBeatMilliseconds;
    const send = agreed(own, heartBeat.wants);
    const expect = agreed(heartBeat.sends, own);
    if (version !== VERSION.v10 && send + expect > 0)
      this.#heartBeat = new HeartBeat(clock, connection, this, send, expect);
  }

  #welcome({ version, session, requestId }: Login, receipt: string | undefined): void {
    const heartBeat = this.#server.services.limits.heartBeatMilliseconds;
    writeConnected(this.#connection, { version, session, heartBeat, requestId });
    if (receipt !== undefined) writeReceipt(this.#connection, receipt);
  }

  #disconnect(frame: Frame, client: StompClient): void {
    this.#farewell = frame.raw(HEADER.receipt);
    this.#state = 'leaving';
    this.#since = this.#now;
    this.#decoder.stop();
    client.leave(this.#farewell !== undefined);
    // It may have ended its side already: while it is not read from, that is not the end of the connection.
    if (client.busy) this.#connection.pause();
    else this.settled();
  }

  // --- from the client and its heart-beats --------------------------------------------------------------------------

  settled(): void {
    if (this.#state !== 'leaving') return;
    if (this.#farewell !== undefined) writeReceipt(this.#connection, this.#farewell);
    this.#end('');
  }

  failed(error: BrokerError, receipt: string | undefined): void {
    this.#fail(error, receipt);
  }

  hold(): void {
    if (this.#state !== 'connected') return;
    this.#decoder.hold();
    this.#connection.pause();
  }

  /** Not at once: who says so is in the middle of other clients' affairs. */
  proceed(): void {
    this.#server.services.clock.defer(() => {
      if (this.#state !== 'connected') return;
      this.#connection.resume();
      this.#decode(() => this.#decoder.proceed());
    });
  }

  silent(milliseconds: number): void {
    const detail = `nothing was heard for ${milliseconds} milliseconds, more than the heart-beat agreed allows`;
    this.#fail(new Refusal('timeout', detail, 'Send a line end where there is nothing else to send.'), undefined);
  }

  deaf(): boolean {
    return (this.#client?.paused ?? false) || this.#connection.full();
  }

  // --- the end ------------------------------------------------------------------------------------------------------

  /** An ERROR is the last frame on its connection (STOMP 1.2, ERROR). */
  #fail(error: BrokerError, receipt: string | undefined): void {
    if (this.#state === 'over') return;
    writeError(this.#connection, error, receipt);
    this.#end(error.code === 'shutdown' ? '' : error.message);
  }

  #end(reason: string): void {
    this.#release();
    this.#connection.end(reason);
  }

  #release(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#decoder.stop();
    this.#heartBeat?.stop();
    this.#heldReceipts?.stop();
    if (this.#client === undefined) return;
    this.#server.services.counters.loggedOut();
    this.#client.close();
    this.#client = undefined;
  }
}
