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
  /** undefined until the log has brought it. */
  message: Message | undefined;
}

/**
 * Sends on a new connection what was in flight on an earlier one [MQTT-4.4.0-1], in its order [MQTT-4.6.0-1] and within the
 * new connection's window, which may be smaller. Messages are read from the log again.
 */
export class Resender {
  readonly #link: Link;
  readonly #inflight: Inflight;
  readonly #owner: ResenderOwner;
  /** In the order in which they were sent first, which need not be that of the log. */
  readonly #waiting: Waiting[] = [];
  /** How many of them are done with. */
  #done = 0;
  #reading = true;
  #stopped = false;

  constructor(link: Link, inflight: Inflight, owner: ResenderOwner) {
    this.#link = link;
    this.#inflight = inflight;
    this.#owner = owner;
  }

  start(services: Services): void {
    // Several subscriptions with ways of their own may have brought the same message.
    const byPosition = new Map<string, Waiting[]>();
    const positions: Position[] = [];
    for (const [packetId, sent] of this.#inflight.entries()) {
      if (sent.released) {
        this.#link.pubrel(packetId);
        continue;
      }
      const waiting = { packetId, sent, message: sent.message };
      this.#waiting.push(waiting);
      if (sent.message !== undefined) continue;
      const others = byPosition.get(keyOf(sent));
      if (others !== undefined) others.push(waiting);
      else {
        byPosition.set(keyOf(sent), [waiting]);
        positions.push(sent);
      }
    }
    this.pump();
    services.recall(positions, {
      message: (message) => {
        for (const waiting of byPosition.get(keyOf(message)) ?? []) waiting.message = message;
        this.pump();
      },
      missing: (position) => {
        const gone = byPosition.get(keyOf(position)) ?? [];
        this.#owner.lost(gone.length);
        for (const { packetId } of gone) this.#inflight.forget(packetId);
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
    for (let next = this.#next(); next !== undefined && !this.#stopped; next = this.#next()) {
      if (next.message === undefined || this.#link.full() || this.#inflight.outstanding >= this.#link.window) return;
      this.#done++;
      this.#send(next, next.message);
    }
    if (this.#reading || this.#stopped) return;
    this.#stopped = true;
    this.#owner.resent();
  }

  /** Passes over what the client has settled meanwhile, and what is lost. */
  #next(): Waiting | undefined {
    for (;;) {
      const next = this.#waiting[this.#done];
      if (next === undefined || this.#inflight.get(next.packetId) === next.sent) return next;
      this.#done++;
    }
  }

  #send({ packetId, sent }: Waiting, message: Message): void {
    const { qos, retain } = sent;
    const delivery = { qos, retain, dup: true, packetId, extras: this.#owner.extrasOf(sent, message) };
    if (!this.#link.fits(message, delivery)) {
      this.#inflight.forget(packetId);
      return;
    }
    this.#inflight.repeated();
    this.#link.publish(message, delivery);
  }
}

function keyOf({ shard, sequence }: Position): string {
  return `${shard}:${sequence}`;
}
