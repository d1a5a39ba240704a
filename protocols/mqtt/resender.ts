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
  readonly message: Message;
}

/**
 * Sends on a new connection what was in flight on an earlier one [MQTT-4.4.0-1], in its order and within the new
 * connection's window, which may be smaller. Messages are read from the log again.
 */
export class Resender {
  readonly #link: Link;
  readonly #inflight: Inflight;
  readonly #owner: ResenderOwner;
  readonly #waiting: Waiting[] = [];
  #reading = true;
  #stopped = false;

  constructor(link: Link, inflight: Inflight, owner: ResenderOwner) {
    this.#link = link;
    this.#inflight = inflight;
    this.#owner = owner;
  }

  start(services: Services): void {
    // Several subscriptions with ways of their own may have brought the same message.
    const packetIds = new Map<string, number[]>();
    const positions: Position[] = [];
    for (const [packetId, sent] of this.#inflight.entries()) {
      if (sent.released) this.#link.pubrel(packetId);
      else if (sent.message !== undefined) this.#waiting.push({ packetId, sent, message: sent.message });
      else {
        const key = keyOf(sent);
        const others = packetIds.get(key);
        if (others !== undefined) others.push(packetId);
        else {
          packetIds.set(key, [packetId]);
          positions.push(sent);
        }
      }
    }
    this.pump();
    services.recall(positions, {
      message: (message) => {
        for (const packetId of packetIds.get(keyOf(message)) ?? []) {
          const sent = this.#inflight.get(packetId);
          if (sent !== undefined) this.#waiting.push({ packetId, sent, message });
        }
        this.pump();
      },
      missing: (position) => {
        const gone = packetIds.get(keyOf(position)) ?? [];
        this.#owner.lost(gone.length);
        for (const packetId of gone) this.#inflight.forget(packetId);
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
    while (this.#waiting.length > 0 && !this.#stopped && !this.#link.full()) {
      if (this.#inflight.outstanding >= this.#link.window) return;
      const next = this.#waiting.shift();
      if (next !== undefined) this.#send(next);
    }
    if (this.#waiting.length > 0 || this.#reading || this.#stopped) return;
    this.#stopped = true;
    this.#owner.resent();
  }

  #send({ packetId, sent, message }: Waiting): void {
    // Meanwhile the client may have settled it.
    if (this.#inflight.get(packetId) !== sent) return;
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
