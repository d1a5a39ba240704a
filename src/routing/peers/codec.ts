import type { BrokerError } from '../../core/errors.ts';
import type { Message } from '../../core/message.ts';
import { type Packer, Unpacker } from '../../core/pack.ts';
import type { PartialSettings } from '../../core/queue-settings.ts';
import type { ConsumerOptions, Delivery, GroupOptions, Outcome } from '../../ports/queues.ts';
import { type Answer, type Call, readAnswer, readCall, writeAnswer, writeCall } from './calls.ts';
import {
  readError,
  readFlag,
  readMessage,
  readSettings,
  readSigned,
  readStart,
  writeBounded,
  writeError,
  writeFlag,
  writeMessage,
  writeSettings,
  writeSigned,
  writeStart,
} from './fields.ts';
import type { Outbound } from './packets.ts';

/**
 * What nodes say to each other, as two interfaces: a call of `Asked` or `Told` is a frame, and reading a frame
 * is the same call on the other node.
 */

/** What a consumer on another node wants to have. */
export type Wanted =
  | {
      readonly kind: 'queue';
      readonly queue: string;
      readonly options: ConsumerOptions;
      readonly settings: PartialSettings | undefined;
    }
  | { readonly kind: 'group'; readonly group: string; readonly filter: string; readonly options: GroupOptions };

/** To an owner. Consumers, flushes, pushes and calls have numbers of the node that asks. */
export interface Asked {
  consume(consumer: number, wanted: Wanted): void;
  /** `forget`: as in `Membership.leave`; undefined: as `cancel`. */
  cancel(consumer: number, forget: boolean | undefined): void;
  settle(consumer: number, delivery: number, outcome: Outcome, delay: number | undefined): void;
  flush(consumer: number, flush: number): void;
  push(push: number, queue: string, message: Message): void;
  call(call: number, asked: Call): void;
  /** So many bytes of deliveries have come in this session. */
  heard(bytes: number): void;
}

/** Back from an owner. */
export interface Told {
  opened(consumer: number): void;
  /** It was refused, or has ended. */
  ended(consumer: number, error: BrokerError): void;
  deliver(consumer: number, message: Message, delivery: Delivery): void;
  flushed(flush: number, error: BrokerError | undefined): void;
  pushed(push: number, repeated: boolean): void;
  refused(push: number, error: BrokerError): void;
  answered(call: number, answer: Answer | BrokerError): void;
}

const ASKED = { consume: 0, cancel: 1, settle: 2, flush: 3, push: 4, call: 5, heard: 6 } as const;
const TOLD = { opened: 0, ended: 1, deliver: 2, flushed: 3, pushed: 4, refused: 5, answered: 6, failed: 7 } as const;

const OUTCOMES: readonly Outcome[] = ['accept', 'requeue', 'reject'];

export class AskWriter implements Asked {
  readonly #out: Outbound;

  constructor(out: Outbound) {
    this.#out = out;
  }

  consume(consumer: number, wanted: Wanted): void {
    const to = this.#out.frame().integer(ASKED.consume).integer(consumer);
    writeWanted(to, wanted);
  }

  cancel(consumer: number, forget: boolean | undefined): void {
    const to = this.#out.frame().integer(ASKED.cancel).integer(consumer);
    to.integer(forget === undefined ? 2 : Number(forget));
  }

  settle(consumer: number, delivery: number, outcome: Outcome, delay: number | undefined): void {
    const to = this.#out.frame().integer(ASKED.settle).integer(consumer).integer(delivery);
    const form = OUTCOMES.indexOf(outcome) * 2;
    if (delay === undefined) to.integer(form);
    else writeBounded(to.integer(form + 1), delay);
  }

  flush(consumer: number, flush: number): void {
    this.#out.frame().integer(ASKED.flush).integer(consumer).integer(flush);
  }

  push(push: number, queue: string, message: Message): void {
    writeMessage(this.#out.frame().integer(ASKED.push).integer(push).text(queue), message);
  }

  call(call: number, asked: Call): void {
    writeCall(this.#out.frame().integer(ASKED.call).integer(call), asked);
  }

  heard(bytes: number): void {
    this.#out.frame().integer(ASKED.heard).integer(bytes);
  }
}

/** Gives what the frames say to `asked`. Throws on bytes that are no frames; what came before them has been given. */
export function readAsked(frames: Uint8Array, asked: Asked): void {
  const from = new Unpacker(frames);
  while (from.left > 0) {
    const tag = from.integer();
    const number = from.integer();
    switch (tag) {
      case ASKED.consume:
        asked.consume(number, readWanted(from));
        break;
      case ASKED.cancel: {
        const form = from.integer();
        asked.cancel(number, form === 2 ? undefined : form === 1);
        break;
      }
      case ASKED.settle: {
        const [delivery, form] = [from.integer(), from.integer()];
        const outcome = OUTCOMES[Math.floor(form / 2)];
        if (outcome === undefined) throw new RangeError('an outcome that there is not');
        asked.settle(number, delivery, outcome, form % 2 === 1 ? from.integer() : undefined);
        break;
      }
      case ASKED.flush:
        asked.flush(number, from.integer());
        break;
      case ASKED.push:
        asked.push(number, from.text(), readMessage(from));
        break;
      case ASKED.call:
        asked.call(number, readCall(from));
        break;
      case ASKED.heard:
        asked.heard(number);
        break;
      default:
        throw new RangeError(`an unknown frame ${tag}`);
    }
  }
}

function writeWanted(to: Packer, wanted: Wanted): void {
  if (wanted.kind === 'queue') {
    const { queue, options, settings } = wanted;
    writeBounded(to.integer(0).text(queue).text(options.clientId), options.prefetch);
    writeSigned(to, options.priority);
    writeFlag(to, options.exclusive);
    writeFlag(to, options.locksOut === true);
    writeFlag(to, options.selector !== undefined);
    if (options.selector !== undefined) to.text(options.selector);
    writeFlag(to, settings !== undefined);
    if (settings !== undefined) writeSettings(to, settings);
    return;
  }
  const { group, filter, options } = wanted;
  writeBounded(to.integer(1).text(group).text(filter).text(options.clientId), options.prefetch);
  writeBounded(to, options.keptFor);
  writeFlag(to, options.ordered);
  to.text(options.selector ?? '');
  writeStart(to, options.start);
}

function readWanted(from: Unpacker): Wanted {
  if (from.integer() === 0) {
    const queue = from.text();
    const options = {
      clientId: from.text(),
      prefetch: from.integer(),
      priority: readSigned(from),
      exclusive: readFlag(from),
      ...(readFlag(from) && { locksOut: true }),
      ...(readFlag(from) && { selector: from.text() }),
    };
    return { kind: 'queue', queue, options, settings: readFlag(from) ? readSettings(from) : undefined };
  }
  const [group, filter] = [from.text(), from.text()];
  const options = {
    clientId: from.text(),
    prefetch: from.integer(),
    keptFor: from.integer(),
    ordered: readFlag(from),
  };
  const selector = from.text();
  const start = readStart(from);
  return {
    kind: 'group',
    group,
    filter,
    options: selector === '' ? { ...options, start } : { ...options, selector, start },
  };
}

export class TellWriter implements Told {
  readonly #out: Outbound;

  constructor(out: Outbound) {
    this.#out = out;
  }

  opened(consumer: number): void {
    this.#out.frame().integer(TOLD.opened).integer(consumer);
  }

  ended(consumer: number, error: BrokerError): void {
    writeError(this.#out.frame().integer(TOLD.ended).integer(consumer), error);
  }

  deliver(consumer: number, message: Message, { number, count, redelivered }: Delivery): void {
    const to = this.#out.frame().integer(TOLD.deliver).integer(consumer).integer(number).integer(count);
    writeFlag(to, redelivered);
    writeMessage(to, message);
  }

  flushed(flush: number, error: BrokerError | undefined): void {
    writeError(this.#out.frame().integer(TOLD.flushed).integer(flush), error);
  }

  pushed(push: number, repeated: boolean): void {
    writeFlag(this.#out.frame().integer(TOLD.pushed).integer(push), repeated);
  }

  refused(push: number, error: BrokerError): void {
    writeError(this.#out.frame().integer(TOLD.refused).integer(push), error);
  }

  answered(call: number, answer: Answer | BrokerError): void {
    const to = this.#out.frame();
    if (answer instanceof Error) writeError(to.integer(TOLD.failed).integer(call), answer);
    else writeAnswer(to.integer(TOLD.answered).integer(call), answer);
  }
}

/** As `readAsked`. */
export function readTold(frames: Uint8Array, told: Told): void {
  const from = new Unpacker(frames);
  while (from.left > 0) {
    const tag = from.integer();
    const number = from.integer();
    switch (tag) {
      case TOLD.opened:
        told.opened(number);
        break;
      case TOLD.ended:
        told.ended(number, someError(from));
        break;
      case TOLD.deliver: {
        const delivery = { number: from.integer(), count: from.integer(), redelivered: readFlag(from) };
        told.deliver(number, readMessage(from), delivery);
        break;
      }
      case TOLD.flushed:
        told.flushed(number, readError(from));
        break;
      case TOLD.pushed:
        told.pushed(number, readFlag(from));
        break;
      case TOLD.refused:
        told.refused(number, someError(from));
        break;
      case TOLD.answered:
        told.answered(number, readAnswer(from));
        break;
      case TOLD.failed:
        told.answered(number, someError(from));
        break;
      default:
        throw new RangeError(`an unknown frame ${tag}`);
    }
  }
}

function someError(from: Unpacker): BrokerError {
  const error = readError(from);
  if (error === undefined) throw new RangeError('an error that is none');
  return error;
}
