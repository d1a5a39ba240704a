import {
  AckPolicy,
  connect,
  createInbox,
  ErrorCode,
  headers,
  type JsMsg,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  NatsError,
} from 'nats';
import type { Delivered, Neutral, Pair } from '../../../support/neutral-forms.ts';
import { type Participant, queueOf, Refused, type Source, type Taken } from './participant.ts';

/** An application of NATS, by what adapters/jetstream/README.md says for them. */

const PREFIX = 'trimaran';
const STREAM = `${PREFIX}_QUEUE`;
/** Milliseconds that it waits. */
const PATIENCE = 5000;
const INBOX = '$reply/nats/';

const escaped = (text: string, plain: RegExp): string =>
  [...Buffer.from(text)]
    .map((byte) => String.fromCharCode(byte))
    .map((each) => (plain.test(each) ? each : `%${each.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`))
    .join('');
const token = (level: string): string => (level === '' ? '%' : escaped(level, /[A-Za-z0-9_-]/));
const value = (text: string): string => escaped(text, /[!-$&-~ ]/);
const subjectOf = (kind: 'log' | 'live', topic: string): string =>
  `${PREFIX}.${kind}.${topic.split('/').map(token).join('.')}`;
const queueSubject = (name: string): string => `${PREFIX}.queue.${token(name)}`;

export class NatsParticipant implements Participant {
  readonly #nats: NatsConnection;
  #next: (() => Promise<Taken>) | undefined;

  private constructor(nats: NatsConnection) {
    this.#nats = nats;
  }

  static async connect(url: string): Promise<NatsParticipant> {
    return new NatsParticipant(await connect({ servers: url }));
  }

  async send(message: Neutral): Promise<{ duplicate: boolean }> {
    const queue = queueOf(message.topic);
    const block = headersOf(message);
    if (queue === undefined && message.durable !== true) {
      this.#nats.publish(subjectOf('live', message.topic), message.payload, { headers: block });
      return { duplicate: false };
    }
    const priority = message.priority === undefined ? '' : `.${message.priority}`;
    const subject = queue === undefined ? subjectOf('log', message.topic) : queueSubject(queue) + priority;
    const { duplicate } = await this.#nats.jetstream().publish(subject, message.payload, { headers: block });
    return { duplicate };
  }

  async consume({ topic }: Source): Promise<void> {
    const queue = queueOf(topic);
    if (queue === undefined) {
      const messages = this.#nats.subscribe(subjectOf('live', topic))[Symbol.asyncIterator]();
      this.#next = async () => {
        const { value: message, done } = await messages.next();
        if (done === true) throw new Error('the subscription has ended');
        return this.#taken(topic, message);
      };
      await this.#nats.flush();
      return;
    }
    const durable = `queue-${queue}`;
    const manager = await this.#nats.jetstreamManager();
    const config = { durable_name: durable, ack_policy: AckPolicy.Explicit, filter_subject: queueSubject(queue) };
    await manager.consumers.add(STREAM, config);
    const consumer = await this.#nats.jetstream().consumers.get(STREAM, durable);
    this.#next = async () => {
      const message = await consumer.next({ expires: PATIENCE });
      if (message === null) throw new Error(`nothing in the queue ${queue}`);
      return this.#taken(topic, message);
    };
  }

  take(): Promise<Taken> {
    if (this.#next === undefined) throw new Error('nothing is consumed');
    return this.#next();
  }

  #taken(topic: string, message: Msg | JsMsg): Taken {
    const queued = 'ack' in message ? message : undefined;
    const properties = messageOf(topic, message);
    return {
      ...properties,
      redelivered: queued?.redelivered ?? false,
      deliveries: queued?.info.deliveryCount ?? 1,
      accept: () => queued?.ack(),
      giveBack: (delay) => queued?.nak(delay),
      reject: () => {
        throw new Error('dead letters are the work of brokers');
      },
      answer: async (payload) => {
        const block = headersOf({ topic, payload, correlation: properties.correlation });
        if (queued === undefined && 'respond' in message) message.respond(payload, { headers: block });
        else this.#nats.publish(replySubject(properties.replyTo ?? ''), payload, { headers: block });
      },
    };
  }

  async ask(question: Neutral, milliseconds = PATIENCE): Promise<Neutral> {
    try {
      if (queueOf(question.topic) !== undefined) return await this.#askQueue(question, milliseconds);
      const subject = subjectOf('live', question.topic);
      return messageOf('', await this.#nats.request(subject, question.payload, { timeout: milliseconds }));
    } catch (error) {
      const code = error instanceof NatsError ? error.code : '';
      if (code === ErrorCode.NoResponders) throw new Refused('noListener', String(error));
      if (code === ErrorCode.Timeout) throw new Refused('noReply', String(error));
      throw error;
    }
  }

  /** The reply subject of what is published to a stream is the stream's: the inbox goes in a header. */
  async #askQueue(question: Neutral, milliseconds: number): Promise<Neutral> {
    const inbox = createInbox();
    const answer = this.#nats.subscribe(inbox, { max: 1, timeout: milliseconds })[Symbol.asyncIterator]();
    await this.send({ ...question, replyTo: INBOX + inbox });
    return messageOf('', (await answer.next()).value);
  }

  close(): void {
    // What it has settled is to be heard.
    if (!this.#nats.isClosed() && !this.#nats.isDraining()) void this.#nats.drain();
  }
}

function replySubject(topic: string): string {
  return topic.startsWith(INBOX) ? topic.slice(INBOX.length) : subjectOf('live', topic);
}

function headersOf({
  contentType,
  replyTo,
  correlation,
  expiresAt,
  key,
  delay,
  messageId,
  headers: user = [],
}: Neutral): MsgHdrs {
  const block = headers();
  const add = (name: string, text: string | undefined): void => {
    if (text !== undefined) block.append(name, text);
  };
  add('Trimaran-Content-Type', contentType && value(contentType));
  add('Trimaran-Response-Topic', replyTo && value(replyTo));
  add('Trimaran-Correlation', correlation?.toString('base64url'));
  add('Trimaran-Expires', expiresAt?.toString());
  add('Trimaran-Key', key && value(key));
  add('Trimaran-Message-Id', messageId && value(messageId));
  add('Nats-Msg-Id', messageId);
  add('Trimaran-Deliver-At', delay === undefined ? undefined : String(Date.now() + delay));
  for (const [name, text] of user) add('Trimaran-User', `${value(name)}=${value(text)}`);
  return block;
}

function messageOf(topic: string, { data, headers: block }: Msg | JsMsg): Delivered {
  const get = (name: string): string | undefined => {
    const text = block?.get(`Trimaran-${name}`);
    return text === undefined || text === '' ? undefined : decodeURIComponent(text);
  };
  const [correlation, expires, priority] = [get('Correlation'), get('Expires'), get('Priority')];
  const user = (block?.values('Trimaran-User') ?? []).map((line): Pair => {
    const equals = line.indexOf('=');
    return [decodeURIComponent(line.slice(0, equals)), decodeURIComponent(line.slice(equals + 1))];
  });
  return {
    topic,
    payload: Buffer.from(data),
    contentType: get('Content-Type'),
    replyTo: get('Response-Topic'),
    correlation:
      correlation === undefined
        ? undefined
        : correlation.startsWith('=')
          ? Buffer.from(correlation.slice(1))
          : Buffer.from(correlation, 'base64url'),
    expiresAt: expires === undefined ? undefined : Number(expires),
    headers: user,
    messageId: get('Message-Id'),
    key: get('Key'),
    priority: priority === undefined ? undefined : Number(priority),
    redelivered: false,
    deliveries: 1,
    position: undefined,
  };
}
