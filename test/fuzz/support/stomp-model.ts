import * as assert from 'uvu/assert';

/**
 * What STOMP and the README ask of the broker, for a few clients: who has which message, and what is an ERROR. The model of
 * `stomp-sequences.ts`. Which of a queue's consumers gets a message is the broker's choice; the model follows what it sees.
 */

export type AckMode = 'auto' | 'client' | 'client-individual';

export type Command =
  | {
      readonly do: 'subscribe';
      readonly id: string;
      readonly to: string;
      readonly ack: AckMode;
      readonly window: number;
    }
  | { readonly do: 'unsubscribe'; readonly id: string }
  | { readonly do: 'send'; readonly to: string; readonly durable: boolean; readonly body: string; readonly tx: string }
  | Settle
  | { readonly do: 'begin' | 'commit' | 'abort'; readonly tx: string };

export interface Settle {
  readonly do: 'ack' | 'nack';
  /** Of a message that came on this connection; undefined: there was none such. */
  readonly ackId: string | undefined;
  /** Of a NACK: `false` throws the message away. */
  readonly requeue: boolean;
  readonly tx: string;
}

/** A MESSAGE as a client sees it. */
export interface Seen {
  readonly subscription: string;
  readonly ackId: string;
  readonly body: string;
  readonly redelivered: boolean;
  readonly count: number;
  readonly durable: boolean;
}

interface Item {
  /** Order in its queue. */
  readonly number: number;
  readonly body: string;
  readonly durable: boolean;
  deliveries: number;
}

interface Subscription {
  readonly to: string;
  readonly ack: AckMode;
  readonly window: number;
  /** In the order in which they were sent. */
  readonly unsettled: Map<string, Item>;
  /** Of a topic: what waits for the window, those that are in the log, and the others. */
  readonly logged: Item[];
  readonly live: Item[];
}

interface HeldSettle {
  readonly ackId: string;
  readonly accept: boolean;
  /** Of a NACK. */
  readonly requeue: boolean;
}

interface Transaction {
  readonly sends: { readonly to: string; readonly durable: boolean; readonly body: string }[];
  readonly settles: HeldSettle[];
  /** That its frames ask for. */
  readonly receipts: string[];
}

interface Client {
  readonly subscriptions: Map<string, Subscription>;
  readonly transactions: Map<string, Transaction>;
  readonly issued: Map<string, Subscription>;
}

export const LIMITS = { transactions: 2, transactionActions: 4, subscriptions: 4 };

/** By the words of a destination: `*` is one, a `#` any number of them. */
export function matches(filter: string, destination: string): boolean {
  const [words, names] = [filter.split(/[./]/), destination.split(/[./]/)];
  const from = (w: number, n: number): boolean => {
    if (w === words.length) return n === names.length;
    if (words[w] === '#') return from(w + 1, n) || (n < names.length && from(w, n + 1));
    return n < names.length && (words[w] === '*' || words[w] === names[n]) && from(w + 1, n + 1);
  };
  return from(0, 0);
}

const isQueue = (destination: string): boolean => destination.startsWith('/queue/');

/** Not the same message in two ways. */
function alike(one: HeldSettle, other: HeldSettle): boolean {
  return one.ackId !== other.ackId || (one.accept === other.accept && (one.accept || one.requeue === other.requeue));
}

export class StompModel {
  readonly #clients = new Map<string, Client>();
  /** By queue, in order. */
  readonly #waiting = new Map<string, Item[]>();
  /** In which messages may pass each other until the next `take`. */
  readonly #unordered = new Set<string>();
  #lastNumber = 0;

  connect(client: string): void {
    this.#clients.set(client, { subscriptions: new Map(), transactions: new Map(), issued: new Map() });
  }

  /** Aborts its transactions, and gives back what it has not acknowledged. */
  leave(client: string): void {
    const subscriptions = [...(this.#clients.get(client)?.subscriptions.values() ?? [])];
    for (const each of subscriptions) this.#end(each);
    // Its subscriptions end one after the other: what one gives back may be given before the next one gives back its own.
    const queues = subscriptions.map(({ to }) => to);
    for (const [i, queue] of queues.entries()) if (queues.indexOf(queue) < i) this.#unordered.add(queue);
    this.#clients.delete(client);
  }

  /** Ids by which messages came on this connection; `all`: also those that are settled. */
  issued(name: string, all: boolean): readonly string[] {
    const ids = [...this.#client(name).issued];
    return ids.flatMap(([id, { unsettled }]) => (all || unsettled.has(id) ? [id] : []));
  }

  /** Whether the transaction has begun. */
  holds(name: string, tx: string): boolean {
    return this.#client(name).transactions.has(tx);
  }

  open(name: string): readonly string[] {
    return [...this.#client(name).transactions.keys()];
  }

  /** False when it is an ERROR. */
  right(name: string, command: Command): boolean {
    const { subscriptions, transactions, issued } = this.#client(name);
    if (command.do === 'subscribe') return !subscriptions.has(command.id) && subscriptions.size < LIMITS.subscriptions;
    if (command.do === 'unsubscribe') return subscriptions.has(command.id);
    if (command.do === 'begin') return !transactions.has(command.tx) && transactions.size < LIMITS.transactions;
    const transaction = transactions.get(command.tx);
    if (command.do === 'abort') return transaction !== undefined;
    // Whole or not at all: what is settled already cannot be settled with it.
    const unsettled = (ackId: string): boolean => issued.get(ackId)?.unsettled.has(ackId) ?? false;
    if (command.do === 'commit') {
      const settles = transaction?.settles;
      return settles?.every((each) => unsettled(each.ackId) && settles.every((other) => alike(each, other))) ?? false;
    }
    if ('ackId' in command) {
      if (command.ackId === undefined || !issued.has(command.ackId)) return false;
      if (command.tx !== '' && !unsettled(command.ackId)) return false;
    }
    if (command.tx === '') return true;
    return transaction !== undefined && sizeOf(transaction) < LIMITS.transactionActions;
  }

  /** Does what is `right`; says which receipts it is answered with: frames of a transaction with its COMMIT. */
  apply(name: string, command: Command, receipt: string | undefined): readonly string[] {
    const client = this.#client(name);
    const transaction = 'tx' in command ? client.transactions.get(command.tx) : undefined;
    const own = receipt === undefined ? [] : [receipt];
    const held = transaction !== undefined && (command.do === 'send' || 'ackId' in command);
    if (held) transaction.receipts.push(...own);
    this.#apply(client, command, receipt !== undefined);
    if (held) return [];
    return command.do === 'commit' ? [...(transaction?.receipts ?? []), ...own] : own;
  }

  #apply(client: Client, command: Command, asked: boolean): void {
    const { subscriptions, transactions, issued } = client;
    switch (command.do) {
      case 'subscribe':
        subscriptions.set(command.id, { ...command, unsettled: new Map(), logged: [], live: [] });
        return;
      case 'unsubscribe':
        this.#end(subscriptions.get(command.id));
        subscriptions.delete(command.id);
        return;
      case 'send': {
        const send = { ...command, durable: command.durable || asked };
        if (command.tx === '') this.#publish(send);
        else transactions.get(command.tx)?.sends.push(send);
        return;
      }
      case 'ack':
      case 'nack': {
        const settle = { ackId: command.ackId ?? '', accept: command.do === 'ack', requeue: command.requeue };
        if (command.tx === '') this.#settle(issued.get(settle.ackId), settle);
        else transactions.get(command.tx)?.settles.push(settle);
        return;
      }
      case 'begin':
        transactions.set(command.tx, { sends: [], settles: [], receipts: [] });
        return;
      case 'abort':
        transactions.delete(command.tx);
        return;
      case 'commit':
        this.#commit(client, command.tx, asked);
    }
  }

  #client(name: string): Client {
    const client = this.#clients.get(name);
    if (client === undefined) throw new Error(`${name} is not connected`);
    return client;
  }

  #commit({ transactions, issued }: Client, tx: string, asked: boolean): void {
    const { sends = [], settles = [], receipts = [] } = transactions.get(tx) ?? {};
    transactions.delete(tx);
    const durable = asked || receipts.length > 0 || settles.length > 0;
    // What is half logged and half live could be half refused.
    const logged = durable || sends.some((each) => each.durable || isQueue(each.to));
    for (const each of sends)
      this.#publish({ ...each, durable: each.durable || (isQueue(each.to) ? durable : logged) });
    for (const each of settles) this.#settle(issued.get(each.ackId), each);
  }

  /** Cumulative in mode `client`; without effect on what was settled before. */
  #settle(subscription: Subscription | undefined, { ackId, accept, requeue }: HeldSettle): void {
    if (!subscription?.unsettled.has(ackId)) return;
    const { unsettled, ack, to } = subscription;
    const ids = [...unsettled.keys()];
    const meant = ack === 'client' ? ids.slice(0, ids.indexOf(ackId) + 1) : [ackId];
    for (const id of meant) {
      const item = unsettled.get(id);
      unsettled.delete(id);
      if (item !== undefined && !accept && requeue && isQueue(to)) this.#wait(to, item);
    }
  }

  #publish({ to, body, durable }: { readonly to: string; readonly body: string; readonly durable: boolean }): void {
    const item = { number: ++this.#lastNumber, body, durable, deliveries: 0 };
    if (isQueue(to)) this.#wait(to, item);
    else {
      for (const { subscriptions } of this.#clients.values())
        for (const each of subscriptions.values())
          if (matches(each.to, to)) (durable ? each.logged : each.live).push({ ...item });
    }
  }

  #wait(queue: string, item: Item): void {
    const waiting = this.#waiting.get(queue) ?? [];
    waiting.push(item);
    waiting.sort((a, b) => a.number - b.number);
    this.#waiting.set(queue, waiting);
  }

  #end(subscription: Subscription | undefined): void {
    if (subscription === undefined) return;
    if (isQueue(subscription.to)) for (const item of subscription.unsettled.values()) this.#wait(subscription.to, item);
    subscription.unsettled.clear();
  }

  // --- what the broker did ------------------------------------------------------------------------------------------

  /** All that came since the last call: each may come, and nothing that should have come is missing. */
  take(seen: ReadonlyMap<string, readonly Seen[]>): void {
    const given = new Map<string, Item[]>();
    for (const [name, messages] of seen) for (const each of messages) this.#took(name, each, given);
    for (const [queue, items] of given) {
      const numbers = items.map(({ number }) => number);
      const passed = (this.#waiting.get(queue) ?? []).filter(({ number }) => number < Math.max(...numbers));
      if (!this.#unordered.has(queue)) assert.equal(passed, [], `${queue}: later messages came before these`);
    }
    this.#unordered.clear();
    for (const [name, { subscriptions }] of this.#clients) {
      for (const [id, each] of subscriptions) {
        const waits = isQueue(each.to)
          ? (this.#waiting.get(each.to)?.length ?? 0)
          : each.logged.length + each.live.length;
        assert.ok(waits === 0 || !hasRoom(each), `${waits} messages wait for ${id} of ${name}, which has room`);
      }
    }
  }

  #took(name: string, message: Seen, given: Map<string, Item[]>): void {
    const what = `${message.body} to ${message.subscription} of ${name}`;
    const client = this.#clients.get(name);
    const subscription = client?.subscriptions.get(message.subscription);
    assert.ok(client && subscription, `${what}: there is no such subscription`);
    if (client === undefined || subscription === undefined) return;
    assert.ok(hasRoom(subscription), `${what}: more than its window`);
    const queue = isQueue(subscription.to);
    const lists = queue ? [this.#waiting.get(subscription.to) ?? []] : [subscription.logged, subscription.live];
    const list = lists.find((each) => each.some(({ body }) => body === message.body)) ?? [];
    const at = list.findIndex(({ body }) => body === message.body);
    assert.ok(queue ? at >= 0 : at === 0, `${what}: ${at < 0 ? 'is not for it' : 'comes before others'}`);
    const [item] = list.splice(at, 1);
    if (item === undefined) return;
    // A queue keeps all; whether it was sent so is said as it was.
    if (!queue) assert.is(message.durable, item.durable, what);
    item.deliveries++;
    assert.is(message.count, item.deliveries, what);
    assert.is(message.redelivered, item.deliveries > 1, what);
    client.issued.set(message.ackId, subscription);
    if (subscription.ack !== 'auto') subscription.unsettled.set(message.ackId, item);
    if (queue) given.set(subscription.to, [...(given.get(subscription.to) ?? []), item]);
  }
}

const sizeOf = ({ sends, settles }: Transaction): number => sends.length + settles.length;

function hasRoom({ ack, unsettled, window }: Subscription): boolean {
  return ack === 'auto' || unsettled.size < window;
}
