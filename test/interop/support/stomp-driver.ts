import { join } from 'node:path';
import { z } from 'zod';
import type { Address } from '../../../src/broker.ts';
import { Child } from '../../support/child.ts';
import { eventually } from '../../support/eventually.ts';
import { Inbox } from '../../support/inbox.ts';
import type { Headers, Received, StompPeer, Terms } from './stomp-peer.ts';
import { within } from './within.ts';

/** The scripts are no TypeScript, and stay with the sources; this file runs compiled, in dist/test/interop/support. */
const SCRIPTS = join(import.meta.dirname, '../../../../test/interop/support/drivers');

const frame = z.object({ headers: z.record(z.string(), z.string()), body: z.string() });
const line = z.looseObject({
  /** Of the command this answers. */
  id: z.number().optional(),
  /** Why it could not be done. */
  failed: z.string().optional(),
  /** The connection it comes from. */
  at: z.string().optional(),
  message: frame.optional(),
  error: frame.optional(),
  receipt: z.string().optional(),
  closed: z.boolean().optional(),
  /** It saw a heart-beat. */
  beat: z.boolean().optional(),
});
type Line = z.infer<typeof line>;

type Fields = Readonly<Record<string, unknown>>;

interface Waiting {
  resolve(answer: Line): void;
  reject(error: Error): void;
}

/**
 * A program in another language with a STOMP library of that language. It reads commands as lines of JSON, and writes what comes of
 * them and what its connections receive; it ends with its input.
 */
export class Driver {
  readonly #child: Child;
  readonly #waiting = new Map<number, Waiting>();
  readonly #peers = new Map<string, DrivenPeer>();
  #commands = 0;

  constructor(interpreter: string, script: string) {
    this.#child = new Child(interpreter, [join(SCRIPTS, script)], {
      env: { LC_ALL: 'C.UTF-8' },
      onLine: (text) => this.#take(text),
    });
    const over = (): void => {
      const error = new Error(`the driver has ended\n${this.#child.stderr}`);
      for (const each of this.#waiting.values()) each.reject(error);
      this.#waiting.clear();
    };
    this.#child.ended.then(over, over);
  }

  async connect(address: Address, terms: Terms, more: Fields = {}): Promise<DrivenPeer> {
    const peer = this.peer();
    const { version } = await peer.command('connect', { ...address, ...terms, ...more });
    peer.version = String(version);
    return peer;
  }

  /** A connection yet to be made by a command. */
  peer(): DrivenPeer {
    const at = String(this.#peers.size);
    const peer = new DrivenPeer(this, at);
    this.#peers.set(at, peer);
    return peer;
  }

  /** Its answer. */
  command(fields: Fields): Promise<Line> {
    const id = ++this.#commands;
    const answered = new Promise<Line>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#child.write(`${JSON.stringify({ id, ...fields })}\n`);
    return within(`${JSON.stringify(fields)}\n${this.#child.stderr}`, answered);
  }

  /** Ends it, by its input and else by force; what its connections have waits no longer than the process. */
  async end(): Promise<void> {
    this.#child.endInput();
    try {
      await within('the end of the driver', this.#child.ended, 2000);
    } catch {
      this.#child.kill('SIGKILL');
    }
  }

  #take(text: string): void {
    const told = line.parse(JSON.parse(text));
    if (told.id === undefined) {
      this.#peers.get(told.at ?? '')?.take(told);
      return;
    }
    const waiting = this.#waiting.get(told.id);
    this.#waiting.delete(told.id);
    if (told.failed === undefined) waiting?.resolve(told);
    else waiting?.reject(new Error(told.failed));
  }
}

export class DrivenPeer implements StompPeer {
  version = '';
  closed = false;
  beats = 0;
  readonly #driver: Driver;
  readonly #at: string;
  readonly #inbox = new Inbox<Received>();
  readonly #receipts = new Set<string>();
  #error: Received | undefined;
  #waiting = 0;
  #ids = 0;

  constructor(driver: Driver, at: string) {
    this.#driver = driver;
    this.#at = at;
  }

  take({ message, error, receipt, closed, beat }: Line): void {
    if (message !== undefined) {
      this.#waiting++;
      this.#inbox.push(message);
    }
    if (error !== undefined) this.#error = error;
    if (receipt !== undefined) this.#receipts.add(receipt);
    if (beat === true) this.beats++;
    if (closed === true) {
      this.closed = true;
      this.#inbox.close();
    }
  }

  send(destination: string, body: string, headers: Headers = {}): Promise<void> {
    return this.#do('send', { destination, body }, headers);
  }

  subscribe(destination: string, headers: Headers = {}): Promise<void> {
    return this.#do('subscribe', { destination }, { ...this.#id(destination), ...headers });
  }

  unsubscribe(destination: string): Promise<void> {
    return this.#do('unsubscribe', { destination }, this.#id(destination));
  }

  ack(message: Received, headers: Headers = {}): Promise<void> {
    return this.#do('ack', { message }, headers);
  }

  nack(message: Received, headers: Headers = {}): Promise<void> {
    return this.#do('nack', { message }, headers);
  }

  begin(transaction: string): Promise<void> {
    return this.#do('begin', { transaction });
  }

  commit(transaction: string): Promise<void> {
    return this.#do('commit', { transaction });
  }

  abort(transaction: string): Promise<void> {
    return this.#do('abort', { transaction });
  }

  next(): Promise<Received> {
    this.#waiting--;
    return this.#inbox.next();
  }

  /** Whether there is a message to take. */
  get has(): boolean {
    return this.#waiting > 0;
  }

  /** Whether this receipt has come. */
  got(receipt: string): boolean {
    return this.#receipts.has(receipt);
  }

  async provoke(destination: string): Promise<void> {
    await this.command('send', { destination, body: 'x', headers: {} });
  }

  refusal(): Promise<Received> {
    return eventually('ERROR', () => this.#error);
  }

  async leave(): Promise<boolean> {
    const { receipt } = await this.command('leave', {});
    this.closed = true;
    return receipt === 'bye';
  }

  destroy(): void {
    if (!this.closed) this.command('leave', {}).catch(() => {});
    this.closed = true;
  }

  command(what: string, fields: Fields): Promise<Line> {
    return this.#driver.command({ do: what, at: this.#at, ...fields });
  }

  /** With a receipt, which has come when this resolves, unless it is for a transaction. */
  async #do(what: string, fields: Fields, headers: Headers = {}): Promise<void> {
    const receipt = `${what}-${++this.#ids}`;
    // Some libraries wait for a receipt themselves; that of what is for a transaction comes with its COMMIT.
    const held = headers.transaction !== undefined;
    await this.command(what, { ...fields, headers: held ? headers : { ...headers, receipt } });
    if (held) return;
    await eventually(`the receipt of ${what}`, () => this.#receipts.has(receipt));
  }

  /** 1.0 needs no id: a subscription is its destination. */
  #id(destination: string): Headers {
    return this.version === '1.0' ? {} : { id: `id of ${destination}` };
  }
}
