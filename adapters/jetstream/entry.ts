import type { Message } from '../../src/core/message.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';

/** What a pending message costs beside its payload, about, bytes. */
const OVERHEAD = 256;

/** What a message counts for while it is pending, about, bytes. */
export function pendingSize({ size, properties }: Message): number {
  let all = size + OVERHEAD + (properties?.correlation?.length ?? 0);
  for (const [name, value] of properties?.user ?? []) all += name.length + value.length;
  return all;
}

/** A message on its way into the log. */
export class Entry {
  readonly message: Message;
  readonly receiver: AppendReceiver;
  readonly token: number;
  readonly subject: string;
  /** What it counts for against the limit of what is pending. */
  readonly bytes: number;
  /** The change of the state that has to be durable before. */
  readonly barrier: number;
  /** Of its last sending among all of this node; 0 before the first. */
  number = 0;
  /** Of its first sending, which names it when it is sent again. */
  firstNumber = 0;
  sentAt = 0;
  /** The server has been asked to say what became of it. */
  asked = false;
  /** Its sequence, when the server has said it. */
  stored = 0;
  /** The publisher has its answer. */
  done = false;
  /** And it was that the message is not taken in. */
  refused = false;

  constructor(
    message: Message,
    receiver: AppendReceiver,
    token: number,
    subject: string,
    bytes: number,
    barrier: number,
  ) {
    this.message = message;
    this.receiver = receiver;
    this.token = token;
    this.subject = subject;
    this.bytes = bytes;
    this.barrier = barrier;
  }
}
