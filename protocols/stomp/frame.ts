import { unescapeHeader } from './escape.ts';
import { COMMAND, type Command, equal, HEADER_NAMES, type HeaderId, headerAt } from './words.ts';

/** Numbers per header in the table: start and end of the name, start and end of the value, id, flags. */
const STRIDE = 6;
const VALUE = 2;
const ID = 4;
const FLAGS = 5;

/** The name, or the value, has escapes in it. */
export const NAME_ESCAPED = 1;
export const VALUE_ESCAPED = 2;

const TRUE = Buffer.from('true');
const TRUE_OF_PYTHON = Buffer.from('True');

/**
 * A frame as offsets into the bytes it came in. There is one for all decoders: a frame is parsed and handled in one go,
 * so that no two are at work at once. It is valid only during the call that it is given to.
 */
export class Frame {
  command: Command = COMMAND.unknown;
  buffer: Buffer = Buffer.alloc(0);
  start = 0;
  bodyStart = 0;
  bodyEnd = 0;
  /** Header lines, repeated ones included. */
  count = 0;
  /** Bit set of the known headers there are, and whether there are others or repeated ones. */
  present = 0;
  others = false;
  /** All of the head is ASCII, which reads faster. */
  ascii = true;
  #table = new Int32Array(STRIDE * 64);
  /** Index of the first header of each known name: it counts, not its repetitions (STOMP 1.2, Repeated Header Entries). */
  readonly #first = new Int32Array(HEADER_NAMES.length);

  open(buffer: Buffer, start: number): void {
    this.buffer = buffer;
    this.start = start;
    this.command = COMMAND.unknown;
    this.count = 0;
    this.present = 0;
    this.others = false;
    this.ascii = true;
  }

  /** Adds a header line. */
  add(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number, flags: number): void {
    const at = this.count * STRIDE;
    if (at === this.#table.length) this.#grow();
    const id = headerAt(this.buffer, nameStart, nameEnd);
    const table = this.#table;
    table[at] = nameStart;
    table[at + 1] = nameEnd;
    table[at + VALUE] = valueStart;
    table[at + VALUE + 1] = valueEnd;
    table[at + ID] = id;
    table[at + FLAGS] = flags;
    if (id < 0 || this.#has(id)) {
      this.others = true;
    } else {
      this.present |= 1 << id;
      this.#first[id] = this.count;
    }
    this.count++;
  }

  #grow(): void {
    const grown = new Int32Array(this.#table.length * 2);
    grown.set(this.#table);
    this.#table = grown;
  }

  /** Whether there is a header of a known name. */
  has(id: HeaderId): boolean {
    return this.#has(id);
  }

  #has(id: number): boolean {
    return (this.present & (1 << id)) !== 0;
  }

  /** The id of header `index`, also of a repeated one; -1 when its name is not a known one. */
  knownAt(index: number): number {
    return this.#table[index * STRIDE + ID] ?? -1;
  }

  name(index: number): string {
    return this.#text(index * STRIDE, (this.#flags(index) & NAME_ESCAPED) !== 0);
  }

  /** The first byte of the name of header `index`: tells most names apart without making a string. 0: it is empty. */
  initial(index: number): number {
    const at = index * STRIDE;
    const start = this.#table[at] ?? 0;
    return start === this.#table[at + 1] ? 0 : (this.buffer[start] ?? 0);
  }

  value(index: number): string {
    return this.#text(index * STRIDE + VALUE, (this.#flags(index) & VALUE_ESCAPED) !== 0);
  }

  /** The value of a known header. */
  text(id: HeaderId): string | undefined {
    return this.has(id) ? this.value(this.#index(id)) : undefined;
  }

  /** The value of a known header as it stands in the frame, one character per byte: to be sent back as it came. */
  raw(id: HeaderId): string | undefined {
    return this.has(id) ? this.buffer.toString('latin1', this.valueStart(id), this.valueEnd(id)) : undefined;
  }

  /** Whether a known header says `true`, or `True` as clients in Python do. */
  isTrue(id: HeaderId): boolean {
    if (!this.has(id)) return false;
    const start = this.valueStart(id);
    if (this.valueEnd(id) - start !== TRUE.length) return false;
    return equal(TRUE, this.buffer, start) || equal(TRUE_OF_PYTHON, this.buffer, start);
  }

  /** The value of the first header with this name, whichever it is. */
  find(name: string): string | undefined {
    for (let i = 0; i < this.count; i++) if (this.name(i) === name) return this.value(i);
    return undefined;
  }

  /** Where the value of a known header that is there begins and ends, and whether it has escapes. */
  valueStart(id: HeaderId): number {
    return this.#table[this.#index(id) * STRIDE + VALUE] ?? 0;
  }

  valueEnd(id: HeaderId): number {
    return this.#table[this.#index(id) * STRIDE + VALUE + 1] ?? 0;
  }

  valueEscaped(id: HeaderId): boolean {
    return (this.#flags(this.#index(id)) & VALUE_ESCAPED) !== 0;
  }

  #index(id: HeaderId): number {
    return this.#first[id] ?? 0;
  }

  #flags(index: number): number {
    return this.#table[index * STRIDE + FLAGS] ?? 0;
  }

  #text(at: number, escaped: boolean): string {
    const text = this.buffer.toString(this.ascii ? 'latin1' : 'utf8', this.#table[at], this.#table[at + 1]);
    return escaped ? unescapeHeader(text) : text;
  }
}
