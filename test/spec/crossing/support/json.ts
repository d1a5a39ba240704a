import type { Address } from '../../../../src/broker.ts';
import { type Json, RawJson } from '../../../support/json-client.ts';
import { deliveredJson, jsonFields, type Neutral, ofJson } from '../../../support/neutral-forms.ts';
import { answerOf, type Participant, queueOf, Refused, Sorter, type Source, type Taken } from './participant.ts';

export class JsonParticipant implements Participant {
  readonly #client: RawJson;
  readonly #sorter: Sorter<Json>;
  #requests = 0;

  private constructor(client: RawJson) {
    this.#client = client;
    this.#sorter = new Sorter(() => client.next());
  }

  static async connect(address: Address): Promise<JsonParticipant> {
    return new JsonParticipant(await RawJson.connect(address));
  }

  async send(message: Neutral): Promise<{ duplicate: boolean }> {
    const { duplicate } = await this.request({ type: 'publish', ...placed(message) });
    return { duplicate: duplicate === true };
  }

  async consume({ topic, ...source }: Source): Promise<void> {
    const queue = queueOf(topic);
    await this.request({ type: 'subscribe', ...(queue === undefined ? { filter: topic } : { queue }), ...source });
  }

  /** Any request of the protocol, and its answer. */
  async request(fields: Json): Promise<Json> {
    const id = ++this.#requests;
    this.#client.send({ ...fields, id });
    const answer = await this.#sorter.take((message) => message.id === id);
    if (answer.type === 'error') throw new Refused(String(answer.code), String(answer.message));
    return answer;
  }

  async take(): Promise<Taken> {
    const json = await this.#sorter.take(({ type }) => type === 'message');
    const message = deliveredJson(json);
    const settle = (type: string, more: Json = {}): void => {
      const { subscription, delivery } = json;
      if (delivery !== undefined) this.#client.send({ type, subscription, delivery, ...more });
    };
    return {
      ...message,
      accept: () => settle('accept'),
      giveBack: (delay) => settle('reject', { delay }),
      reject: () => settle('reject', { requeue: false }),
      answer: (payload) => this.send(answerOf(message, payload)),
    };
  }

  async ask(question: Neutral, milliseconds = 5000): Promise<Neutral> {
    const { durable: _, ...fields } = placed(question);
    return ofJson(await this.request({ type: 'request', ...fields, timeoutMilliseconds: milliseconds }));
  }

  close(): void {
    this.#client.destroy();
  }
}

/** To a queue by its name. */
function placed(message: Neutral): Json {
  const { topic, ...fields } = jsonFields(message);
  const queue = queueOf(message.topic);
  return queue === undefined ? { topic, ...fields } : { queue, ...fields };
}
