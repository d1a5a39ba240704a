import type { Message } from '../../core/message.ts';
import type { Packer, Unpacker } from '../../core/pack.ts';
import { DEFAULT_SETTINGS, type PartialSettings } from '../../core/queue-settings.ts';
import type { Start } from '../../core/start.ts';
import type { BrowsedPortion, GroupStatus, QueueStatus } from '../../ports/queues.ts';
import type { GroupHost, QueueHost } from '../hosts.ts';
import {
  readFlag,
  readMessage,
  readSettings,
  readStart,
  writeBounded,
  writeFlag,
  writeMessage,
  writeSettings,
  writeStart,
} from './fields.ts';

/** Questions and orders to an owner that have one answer. */

export type QueueCall =
  | { readonly call: 'declare'; readonly queue: string; readonly settings: PartialSettings }
  | { readonly call: 'status'; readonly queue: string }
  | { readonly call: 'browse'; readonly queue: string; readonly after: number; readonly count: number }
  | { readonly call: 'purge'; readonly queue: string }
  | { readonly call: 'delete'; readonly queue: string; readonly ifEmpty: boolean; readonly ifUnused: boolean };

export type GroupCall =
  | { readonly call: 'groupStatus'; readonly group: string; readonly filter: string }
  | { readonly call: 'groupMove'; readonly group: string; readonly filter: string; readonly to: Start };

export type Call = QueueCall | GroupCall;

export type Answer =
  | { readonly answer: 'nothing' }
  | { readonly answer: 'count'; readonly count: number }
  | { readonly answer: 'queue'; readonly status: QueueStatus }
  | { readonly answer: 'portion'; readonly portion: BrowsedPortion }
  | { readonly answer: 'group'; readonly status: GroupStatus };

/** Whether it does no harm to ask a second time, when it is not known what became of the first. */
export function repeatable({ call }: Call): boolean {
  return call !== 'purge' && call !== 'delete';
}

/** Payload bytes of a browsed portion that another node asked for: beyond them it gets fewer than it wants. */
const PORTION = 1024 * 1024;

export async function performQueueCall(host: QueueHost, asked: QueueCall): Promise<Answer> {
  const { queue } = asked;
  switch (asked.call) {
    case 'declare':
      return { answer: 'queue', status: await host.declare(queue, asked.settings) };
    case 'status': {
      const status = await host.status(queue);
      return status === undefined ? { answer: 'nothing' } : { answer: 'queue', status };
    }
    case 'browse':
      return { answer: 'portion', portion: await host.browse(queue, asked.after, asked.count) };
    case 'purge':
      return { answer: 'count', count: await host.purge(queue) };
    case 'delete':
      return { answer: 'count', count: await host.delete(queue, asked) };
  }
}

export async function performGroupCall(host: GroupHost, asked: GroupCall): Promise<Answer> {
  if (asked.call === 'groupMove') {
    await host.move(asked.group, asked.filter, asked.to);
    return { answer: 'nothing' };
  }
  const status = await host.status(asked.group, asked.filter);
  return status === undefined ? { answer: 'nothing' } : { answer: 'group', status };
}

const CALLS: readonly Call['call'][] = ['declare', 'status', 'browse', 'purge', 'delete', 'groupStatus', 'groupMove'];

export function writeCall(to: Packer, asked: Call): void {
  to.integer(CALLS.indexOf(asked.call));
  switch (asked.call) {
    case 'declare':
      to.text(asked.queue);
      writeSettings(to, asked.settings);
      break;
    case 'status':
    case 'purge':
      to.text(asked.queue);
      break;
    case 'browse':
      to.text(asked.queue).integer(asked.after);
      writeBounded(to, asked.count);
      break;
    case 'delete':
      writeFlag(to.text(asked.queue), asked.ifEmpty);
      writeFlag(to, asked.ifUnused);
      break;
    case 'groupStatus':
      to.text(asked.group).text(asked.filter);
      break;
    case 'groupMove':
      writeStart(to.text(asked.group).text(asked.filter), asked.to);
      break;
  }
}

export function readCall(from: Unpacker): Call {
  const call = CALLS[from.integer()];
  switch (call) {
    case 'declare':
      return { call, queue: from.text(), settings: readSettings(from) };
    case 'status':
    case 'purge':
      return { call, queue: from.text() };
    case 'browse':
      return { call, queue: from.text(), after: from.integer(), count: from.integer() };
    case 'delete':
      return { call, queue: from.text(), ifEmpty: readFlag(from), ifUnused: readFlag(from) };
    case 'groupStatus':
      return { call, group: from.text(), filter: from.text() };
    case 'groupMove':
      return { call, group: from.text(), filter: from.text(), to: readStart(from) };
    default:
      throw new RangeError('a call that there is not');
  }
}

const ANSWERS: readonly Answer['answer'][] = ['nothing', 'count', 'queue', 'portion', 'group'];

export function writeAnswer(to: Packer, answered: Answer): void {
  to.integer(ANSWERS.indexOf(answered.answer));
  switch (answered.answer) {
    case 'nothing':
      break;
    case 'count':
      to.integer(answered.count);
      break;
    case 'queue':
      writeQueueStatus(to, answered.status);
      break;
    case 'portion':
      writePortion(to, answered.portion);
      break;
    case 'group':
      writeGroupStatus(to, answered.status);
      break;
  }
}

export function readAnswer(from: Unpacker): Answer {
  const answer = ANSWERS[from.integer()];
  switch (answer) {
    case 'nothing':
      return { answer };
    case 'count':
      return { answer, count: from.integer() };
    case 'queue':
      return { answer, status: readQueueStatus(from) };
    case 'portion':
      return { answer, portion: readPortion(from) };
    case 'group':
      return { answer, status: readGroupStatus(from) };
    default:
      throw new RangeError('an answer that there is not');
  }
}

function writeQueueStatus(to: Packer, status: QueueStatus): void {
  writeSettings(to.text(status.name), status.settings);
  to.integer(status.messages).integer(status.bytes).integer(status.unsettled).integer(status.consumers);
  to.text(status.node);
}

function readQueueStatus(from: Unpacker): QueueStatus {
  return {
    name: from.text(),
    settings: { ...DEFAULT_SETTINGS, ...readSettings(from) },
    messages: from.integer(),
    bytes: from.integer(),
    unsettled: from.integer(),
    consumers: from.integer(),
    node: from.text(),
  };
}

function writePortion(to: Packer, { messages, next }: BrowsedPortion): void {
  let bytes = 0;
  const beyond = messages.findIndex(({ message }, i) => {
    bytes += message.size;
    return i > 0 && bytes > PORTION;
  });
  const sent = beyond === -1 ? messages : messages.slice(0, beyond);
  to.integer(sent.length);
  for (const { message, id, deliveries } of sent) writeMessage(to.integer(id).integer(deliveries), message);
  to.integer((beyond === -1 ? next : sent.at(-1)?.id) ?? 0);
}

function readPortion(from: Unpacker): BrowsedPortion {
  const messages: { message: Message; id: number; deliveries: number }[] = [];
  for (let count = from.count(); count > 0; count--) {
    const [id, deliveries] = [from.integer(), from.integer()];
    messages.push({ id, deliveries, message: readMessage(from) });
  }
  const next = from.integer();
  return { messages, next: next === 0 ? undefined : next };
}

function writeGroupStatus(to: Packer, status: GroupStatus): void {
  writeFlag(to.text(status.name).text(status.filter), status.ordered);
  to.integers(status.positions).integers(status.ends);
  to.integer(status.lag).integer(status.unsettled).integer(status.members).text(status.node);
}

function readGroupStatus(from: Unpacker): GroupStatus {
  return {
    name: from.text(),
    filter: from.text(),
    ordered: readFlag(from),
    positions: from.integers(),
    ends: from.integers(),
    lag: from.integer(),
    unsettled: from.integer(),
    members: from.integer(),
    node: from.text(),
  };
}
