import type { Message } from '../../src/core/message.ts';
import type { Position, Services } from '../../src/ports/routing.ts';
import type { Inflight, Sent } from './inflight.ts';
import type { Link } from './link.ts';
import type { Extras } from './publish-encoder.ts';

export interface ResenderOwner {
  /** What else a message goes with. */
  extrasOf(sent: Sent, message: Message): Extras | undefined;
  /** The log no longer has it. */
  lost(count: number): void;
  /** All has been sent again. */
  resent(): void;
}

interface Waiting {
  readonly packetId: number;
  readonly sent: Sent;
  /** undefined: still to be read; what is behind it waits for it. `gone`: there is none any more. */
  message: Message | undefined;
  gone: boolean;
}

/**
 * Sends on a new connection what was in flight on an earlier one [MQTT-4.4.0-1], in the order in which it was first sent
 * [MQTT-4.6.0-1] and within the new connection's window, which may be smaller. Messages are read from the log again, whose
 * order is another one where subscriptions had ways of their own.
 */
export class Resender {
  readonly #link: Link;
  readonly #inflight: Inflight;
  readonly #owner: ResenderOwner;
  readonly #waiting: Waiting[] = [];
  /** In `#waiting`, the next to be sent. */
  #next = 0;
  #reading = true;
  #stopped = false;

  constructor(link: Link, inflight: Inflight, owner: ResenderOwner) {
    this.#link = link;
    this.#inflight = inflight;
    this.#owner = owner;
  }

  start(services: Pick<Services, 'recall'>): void {
    // Several subscriptions with ways of their own may have brought the same message.
    const unread = new Map<string, Waiting[]>();
    const positions: Position[] = [];
    for (const [packetId, sent] of this.#inflight.entries()) {
      // The window is for PUBLISH [MQTT-4.9.0-3].
      if (sent.released) {
        this.#link.pubrel(packetId);
        continue;
      }
      const waiting = { packetId, sent, message: sent.message, gone: false };
      this.#waiting.push(waiting);
      if (sent.message !== undefined) continue;
      const key = keyOf(sent);
      const others = unread.get(key);
      if (others !== undefined) others.push(waiting);
      else {
        unread.set(key, [waiting]);
        positions.push(sent);
      }
    }
    this.pump();
    services.recall(positions, {
      message: (message) => {
        for (const each of unread.get(keyOf(message)) ?? []) each.message = message;
        this.pump();
      },
      missing: (position) => {
        const lost = unread.get(keyOf(position)) ?? [];
        this.#owner.lost(lost.length);
        for (const each of lost) {
          each.gone = true;
          this.#inflight.forget(each.packetId);
        }
      },
      done: () => {
        this.#reading = false;
        this.pump();
      },
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  pump(): void {
    while (!this.#stopped && !this.#link.full() && this.#inflight.outstanding < this.#link.window) {
      const next = this.#waiting[this.#next];
      if (next === undefined || (next.message === undefined && !next.gone)) break;
      this.#next++;
      if (next.message !== undefined) this.#send(next, next.message);
      // What is in flight may be much; it is held no longer than needed.
      next.message = undefined;
    }
    if (this.#next < this.#waiting.length || this.#reading || this.#stopped) return;
    this.#stopped = true;
    this.#owner.resent();
  }

  #send({ packetId, sent }: Waiting, message: Message): void {
    // Meanwhile the client may have settled it.
    if (this.#inflight.get(packetId) !== sent) return;
    const { qos, retain } = sent;
    const delivery = { qos, retain, dup: true, packetId, extras: this.#owner.extrasOf(sent, message) };
    if (!this.#link.fits(message, delivery)) {
      this.#inflight.forget(packetId);
      return;
    }
    this.#inflight.repeated(packetId);
    this.#link.publish(message, delivery);
  }
}

function keyOf({ shard, sequence }: Position): string {
  return `${shard}:${sequence}`;
}
