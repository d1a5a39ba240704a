import { BrokerError } from '../../src/core/errors.ts';
import type { UserProperty } from '../../src/core/message.ts';
import { explain, fits } from './answers.ts';
import { checkSubscribe, granted, notOffered } from './capabilities.ts';
import { writeCodes } from './encoder.ts';
import { filterFault, isForeignReply, kindOf } from './filters.ts';
import { type SubscribePacket, type SubscribeRequest, TYPE, type UnsubscribePacket } from './packets.ts';
import { REASON, reasonIn, SUBACK_FAILURE_V3 } from './reasons.ts';
import { requireSettings, rightOf } from './rights.ts';
import type { Served } from './served.ts';
import type { MqttSession } from './session.ts';
import { readWishes, wishesIn } from './wishes.ts';

/** SUBSCRIBE packets of one client whose SUBACK waits for a queue, a group or the log. */
const MAX_WAITING = 64;
/** SUBACKs and UNSUBACKs that wait for the session's state to be durable; at so many, no more is read from the client. */
const MOST_UNSAVED = 64;

/** What became of one filter of a SUBSCRIBE. */
interface Answer {
  readonly filter: string;
  /** Why it is refused. */
  readonly error: BrokerError | undefined;
  readonly qos: number;
  /** Retained messages are sent. */
  readonly retained: boolean;
}

/** SUBSCRIBE and UNSUBSCRIBE of one client. */
export class Subscribing {
  readonly #served: Served;
  readonly #session: MqttSession;
  #waiting = 0;
  #unsaved = 0;

  constructor(served: Served) {
    this.#served = served;
    this.#session = served.session;
  }

  subscribe(packet: SubscribePacket): void {
    const { properties, requests } = packet;
    checkSubscribe(packet, this.#served.version, this.#served.capabilities);
    const identifier = properties?.subscriptionIdentifiers?.[0] ?? 0;
    const wishes = wishesIn(properties?.user);
    let waits = false;
    const answers = requests.map((request) => {
      const answer = this.#one(request, identifier, wishes);
      waits ||= answer instanceof Promise;
      return answer;
    });
    if (!waits) {
      this.#answer(packet.packetId, answers.filter(isAnswer));
      return;
    }
    this.#waiting++;
    void Promise.all(answers).then((all) => {
      this.#waiting--;
      this.#answer(packet.packetId, all);
    });
  }

  /** A promise where it is not known yet. */
  #one(request: SubscribeRequest, identifier: number, asked: readonly UserProperty[]): Answer | Promise<Answer> {
    const session = this.#session;
    const { capabilities } = this.#served;
    const { filter, qos, noLocal, retainAsPublished, retainHandling } = request;
    const fault = this.#fault(request);
    if (fault !== undefined) return this.#refused(filter, fault);
    try {
      const kind = kindOf(filter);
      const wishes = readWishes(asked, kind);
      requireSettings(this.#served.services.authorizer, this.#served.login.principal, wishes.settings);
      const added = !session.hasSubscription(filter);
      const retained =
        kind === 'topic' &&
        capabilities.retain &&
        (wishes.start === undefined || wishes.start.from === 'new') &&
        (retainHandling === 0 || (retainHandling === 1 && added));
      const requested = { filter, qos, noLocal, retainAsPublished, identifier, wishes: asked };
      const options = granted(requested, capabilities);
      const answer = { filter, error: undefined, qos: options.qos, retained };
      return (
        session.subscribe(options, wishes)?.then(
          () => answer,
          (error: unknown) => this.#refused(filter, this.#known(filter, error)),
        ) ?? answer
      );
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      return this.#refused(filter, error);
    }
  }

  #known(filter: string, error: unknown): BrokerError {
    if (error instanceof BrokerError) return error;
    const { logger } = this.#served.services;
    logger.error({ err: error, filter }, 'internal error while subscribing');
    return new BrokerError('internal');
  }

  #refused(filter: string, error: BrokerError): Answer {
    const { services } = this.#served;
    const fields = { clientId: this.#session.clientId, filter, reason: error.message };
    services.logger.warn(fields, 'a subscription was refused');
    return { filter, error, qos: 0, retained: false };
  }

  /** Why a subscription is refused; undefined when it is not. */
  #fault({ filter, noLocal }: SubscribeRequest): BrokerError | undefined {
    const { services, login, capabilities } = this.#served;
    const session = this.#session;
    const { limits, authorizer } = services;
    const kind = kindOf(filter);
    const absent = notOffered(filter, capabilities);
    if (absent !== undefined) return absent;
    const fault = filterFault(filter, limits);
    if (fault !== undefined) return new BrokerError('filterInvalid', `the filter ${fault}`);
    if (noLocal && kind === 'queue')
      return new BrokerError('unsupported', 'No Local is 1; a message of a queue is for any of its consumers');
    if (isForeignReply(filter, session.reply)) {
      return new BrokerError(
        'notAuthorized',
        'topics for answers are for the client whose Response Information they are',
      );
    }
    if (!authorizer.maySubscribe(login.principal, rightOf(filter))) {
      return new BrokerError('notAuthorized', `not allowed to subscribe to ${filter}`);
    }
    const count = session.subscriptionCount;
    if (count >= limits.subscriptionsPerSession && !session.hasSubscription(filter)) {
      return new BrokerError('quota', `${count} subscriptions already (limits.subscriptionsPerSession)`);
    }
    return this.#waiting < MAX_WAITING
      ? undefined
      : new BrokerError('quota', `${MAX_WAITING} SUBSCRIBE packets are without their SUBACK already`);
  }

  #answer(packetId: number, answers: readonly Answer[]): void {
    const served = this.#served;
    const { connection, login, version } = served;
    const session = this.#session;
    if (served.over) return;
    const codes = answers.map(({ error, qos }) => {
      if (error === undefined) return qos;
      return version === 5 ? reasonIn('subscribe', error.code) : SUBACK_FAILURE_V3;
    });
    const refused = answers.flatMap(({ filter, error }) =>
      error === undefined ? [] : [`${filter}: ${error.message}`],
    );
    const reasons = refused.length === 0 ? [] : explain(version, login, refused.join('; '), codes.length);
    this.#saved(() => {
      if (served.over) return;
      if (fits(served, codes.length)) writeCodes(connection, TYPE.suback, version, packetId, codes, reasons);
      for (const { filter, retained } of answers) if (retained) session.replayRetained(filter);
      // What a queue or group has follows its SUBACK.
      session.drained();
    });
  }

  unsubscribe(packet: UnsubscribePacket): void {
    const served = this.#served;
    const { connection, version } = served;
    const session = this.#session;
    const codes = packet.filters.map((filter) =>
      session.unsubscribe(filter) ? REASON.success : REASON.noSubscriptionExisted,
    );
    this.#saved(() => {
      if (served.over || !fits(served, codes.length)) return;
      writeCodes(connection, TYPE.unsuback, version, packet.packetId, codes);
    });
  }

  /** What happens in the connection once the session is durable; as long as too much of it waits, the client does. */
  #saved(action: () => void): void {
    const { connection } = this.#served;
    if (++this.#unsaved === MOST_UNSAVED) connection.pause();
    this.#session.saved(() => {
      if (this.#unsaved-- === MOST_UNSAVED) connection.resume();
      action();
    });
  }
}

function isAnswer(answer: Answer | Promise<Answer>): answer is Answer {
  return !(answer instanceof Promise);
}
