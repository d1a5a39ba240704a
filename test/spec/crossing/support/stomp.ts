import type { Address } from '../../../../src/broker.ts';
import {
  delivered,
  type Neutral,
  ofFrame,
  type Pair,
  stompHeaders,
  toDestination,
} from '../../../support/neutral-forms.ts';
import { header, RawStomp, type StompFrame } from '../../../support/stomp-client.ts';
import { answerOf, type Participant, Refused, Sorter, type Source, type Taken, wishesOf } from './participant.ts';

const REPLIES = '/temp-queue/answers';

export class StompParticipant implements Participant {
  readonly #client: RawStomp;
  readonly #sorter: Sorter<StompFrame>;
  #receipts = 0;
  #asked = 0;

  private constructor(client: RawStomp) {
    this.#client = client;
    this.#sorter = new Sorter(() => client.next());
  }

  static async connect(address: Address): Promise<StompParticipant> {
    return new StompParticipant(await RawStomp.connect(address));
  }

  async send(message: Neutral): Promise<{ duplicate: boolean }> {
    const headers = stompHeaders(message);
    if (message.durable === true)
      return { duplicate: header(await this.#request('SEND', headers, message.payload), 'duplicate') === 'true' };
    this.#client.send('SEND', headers, message.payload);
    return { duplicate: false };
  }

  async consume(source: Source): Promise<void> {
    const group: Pair[] = source.group === undefined ? [] : [['group', source.group]];
    const mode: Pair[] = [
      ['id', source.topic],
      ['destination', toDestination(source.topic)],
      ['ack', 'client-individual'],
    ];
    const selector: Pair[] = source.selector === undefined ? [] : [['selector', source.selector]];
    await this.#request('SUBSCRIBE', [...mode, ...group, ...selector, ...wishesOf(source)]);
  }

  async #request(command: string, headers: readonly Pair[], body: Buffer | string = ''): Promise<StompFrame> {
    const receipt = `receipt-${++this.#receipts}`;
    this.#client.send(command, [...headers, ['receipt', receipt]], body);
    const frame = await this.#sorter.take(({ command }) => command === 'RECEIPT' || command === 'ERROR');
    const answered = header(frame, 'receipt-id');
    if (frame.command === 'ERROR') throw new Refused(`ERROR ${answered === receipt}`, frame.body.toString());
    if (answered !== receipt) throw new Error(`the receipt is ${answered}, not ${receipt}`);
    return frame;
  }

  async take(): Promise<Taken> {
    const frame = await this.#message();
    const message = delivered(ofFrame(frame));
    const settle = (command: string, headers: Record<string, string> = {}): void =>
      this.#client.send(command, { id: header(frame, 'ack') ?? '', ...headers });
    return {
      ...message,
      accept: () => settle('ACK'),
      giveBack: (delay) => settle('NACK', delay === undefined ? {} : { delay: String(delay) }),
      reject: () => settle('NACK', { requeue: 'false' }),
      answer: (payload) => this.send(answerOf(message, payload)),
    };
  }

  #message(): Promise<StompFrame> {
    return this.#sorter.take(({ command }) => command === 'MESSAGE');
  }

  async ask(question: Neutral): Promise<Neutral> {
    const correlation = Buffer.from(`stomp ${++this.#asked}`);
    await this.send({ ...question, replyTo: REPLIES, correlation });
    const answer = await this.#message();
    if (header(answer, 'subscription') !== REPLIES || header(answer, 'correlation-id') !== correlation.toString())
      throw new Error(`an answer to something else: ${JSON.stringify(answer.headers)}`);
    return ofFrame(answer);
  }

  close(): void {
    this.#client.destroy();
  }
}
