import { BrokerError } from '../../core/errors.ts';
import type { ConsumerOptions } from '../../ports/queues.ts';
import type { Member } from './member.ts';

interface Level {
  readonly priority: number;
  /** Those that may take a message, as far as is known, each in its turn. */
  readonly ring: Member[];
  turn: number;
}

/** The consumers of one dispatcher, and whose turn it is. One that cannot take more is not asked again until it says so. */
export class Members {
  readonly all = new Set<Member>();
  readonly #levels: Level[] = [];
  readonly #single: boolean;
  /** The only one that gets messages; undefined: all do. */
  #active: Member | undefined;
  #room = 0;
  #prefetch = 0;

  constructor(single: boolean) {
    this.#single = single;
  }

  /** Messages that those in turn may have beyond what they have. */
  get room(): number {
    return this.#room;
  }

  /** Messages that all may have at once. */
  get prefetch(): number {
    return this.#prefetch;
  }

  /** Throws a BrokerError where one who comes with these options cannot be among them. */
  check({ exclusive }: ConsumerOptions): void {
    const [first] = this.all;
    if (first?.options.exclusive) throw new BrokerError('quota', 'there is an exclusive consumer');
    if (first !== undefined && exclusive)
      throw new BrokerError('quota', `an exclusive consumer is to be the only one; there are ${this.all.size} others`);
  }

  /** By which keys choose this client; another one for each of its members. */
  seedOf(clientId: string): number {
    let seed = hashOf(clientId);
    while ([...this.all].some((each) => each.seed === seed)) seed++;
    return seed;
  }

  add(member: Member): void {
    this.all.add(member);
    this.#prefetch += member.options.prefetch;
    this.#choose(this.#single ? (this.#active ?? member) : this.#first(({ options }) => options.locksOut === true));
    this.enter(member);
  }

  /** The one of the highest priority, of these the one that came first. */
  #first(wanted: (member: Member) => boolean): Member | undefined {
    let found: Member | undefined;
    for (const each of this.all)
      if (wanted(each) && each.options.priority > (found?.options.priority ?? Number.NEGATIVE_INFINITY)) found = each;
    return found;
  }

  #choose(active: Member | undefined): void {
    if (active === this.#active) return;
    this.#active = active;
    for (const each of this.all) {
      if (active === undefined || each === active) this.enter(each);
      else this.leave(each);
    }
  }

  #waits(member: Member): boolean {
    return this.#active !== undefined && member !== this.#active;
  }

  remove(member: Member): void {
    if (!this.all.delete(member)) return;
    this.leave(member);
    member.gone = true;
    this.#prefetch -= member.options.prefetch;
    if (this.#active === member) this.#choose(this.#first(({ options }) => this.#single || options.locksOut === true));
  }

  /** It may be able to take a message. */
  enter(member: Member): void {
    if (member.gone || member.ringed || member.room <= 0 || this.#waits(member)) return;
    member.ringed = true;
    this.#room += member.room;
    this.#level(member.options.priority).ring.push(member);
  }

  leave(member: Member): void {
    if (!member.ringed) return;
    member.ringed = false;
    this.#room -= member.room;
    const { ring } = this.#level(member.options.priority);
    ring.splice(ring.indexOf(member), 1);
  }

  /** A message was given to it, or one of its own is settled. */
  count(member: Member, change: -1 | 1): void {
    if (member.ringed) this.#room += change;
    else if (change > 0) this.enter(member);
  }

  /** The one whose turn it is, of the highest priority that has any. */
  next(): Member | undefined {
    for (const level of this.#levels) {
      const { ring } = level;
      while (ring.length > 0) {
        if (level.turn >= ring.length) level.turn = 0;
        const member = ring[level.turn];
        if (member?.available()) {
          level.turn++;
          return member;
        }
        if (member !== undefined) this.leave(member);
      }
    }
    return undefined;
  }

  /** The same among those that are admitted, which are asked first. */
  nextOf(admits: (member: Member) => boolean): Member | undefined {
    for (const level of this.#levels) {
      const { ring } = level;
      for (let left = ring.length; left > 0 && ring.length > 0; left--) {
        if (level.turn >= ring.length) level.turn = 0;
        const member = ring[level.turn];
        if (member === undefined) break;
        if (!admits(member)) level.turn++;
        else if (member.available()) {
          level.turn++;
          return member;
        } else this.leave(member);
      }
    }
    return undefined;
  }

  /** Whether this one can take a message now. */
  free(member: Member): boolean {
    if (this.#waits(member)) return false;
    const available = member.available();
    if (available) this.enter(member);
    else this.leave(member);
    return available;
  }

  /** The member a key stays with as long as none comes or goes: of all, the one it draws the highest number with. */
  of(key: string): Member | undefined {
    const hash = hashOf(key);
    let [best, highest]: [Member | undefined, number] = [undefined, -1];
    for (const member of this.all) {
      const drawn = mix(hash ^ member.seed);
      if (drawn > highest) [best, highest] = [member, drawn];
    }
    return best;
  }

  #level(priority: number): Level {
    const at = this.#levels.findIndex((level) => level.priority <= priority);
    const found = this.#levels[at];
    if (found?.priority === priority) return found;
    const level = { priority, ring: [], turn: 0 };
    this.#levels.splice(at === -1 ? this.#levels.length : at, 0, level);
    return level;
  }
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Spreads 32 bits so that numbers that are close have nothing in common any more. */
function mix(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
