/** In a pattern: any one character. */
export const ANY = -1;

/**
 * Patterns of LIKE with `_` in them, and others for long texts. All places of the pattern where a text can be are followed at once, one bit for
 * each: what one character of the text costs does not depend on the text, only on the length of the pattern, by 32 of its
 * characters at a time.
 */
export function placesOfPattern(pieces: readonly (readonly number[])[]): (text: string) => boolean {
  const codes = pieces.flat();
  const last = codes.length;
  const words = (last >>> 5) + 1;
  const staying = new Int32Array(words);
  let place = 0;
  for (const piece of pieces.slice(0, -1)) {
    place += piece.length;
    set(staying, place);
  }
  const steps = new Steps(codes, words);
  return words === 1 ? inOneWord(staying, steps, last) : inWords(staying, steps, last);
}

const ASCII = 128;

/** By character, the places from which it leads on: for each, `words` words of one array, which is not one array for each. */
class Steps {
  readonly bits: Int32Array;
  /** Where those of a character begin; of one that is not in the pattern, at 0: there are those of any one. */
  readonly #ascii = new Int32Array(ASCII);
  readonly #others = new Map<number, number>();

  constructor(codes: readonly number[], words: number) {
    const own = new Set(codes.filter((code) => code !== ANY));
    this.bits = new Int32Array((own.size + 1) * words);
    for (const [at, code] of codes.entries()) if (code === ANY) set(this.bits, at);
    let from = 0;
    for (const code of own) {
      from += words;
      this.bits.copyWithin(from, 0, words);
      if (code < ASCII) this.#ascii[code] = from;
      else this.#others.set(code, from);
    }
    for (const [at, code] of codes.entries()) if (code !== ANY) set(this.bits, this.from(code) * 32 + at);
  }

  from(code: number): number {
    return (code < ASCII ? this.#ascii[code] : this.#others.get(code)) ?? 0;
  }
}

/** The usual pattern has less than 32 characters. */
function inOneWord(stayingIn: Int32Array, steps: Steps, last: number): (text: string) => boolean {
  const staying = stayingIn[0] ?? 0;
  const { bits } = steps;
  const whole = 1 << last;
  return (text) => {
    let now = 1;
    for (let i = 0; i < text.length; i++) {
      let code = text.charCodeAt(i);
      if (isHalf(code)) {
        code = text.codePointAt(i) ?? 0;
        if (code > 0xffff) i++;
      }
      now = ((now & (bits[steps.from(code)] ?? 0)) << 1) | (now & staying);
      if (now === 0) return false;
      // The rest is whatever it likes to be.
      if ((now & staying & whole) !== 0) return true;
    }
    return (now & whole) !== 0;
  };
}

function inWords(staying: Int32Array, steps: Steps, last: number): (text: string) => boolean {
  // Of one text at a time: there is nothing that could come in between.
  const places = new Int32Array(staying.length);
  return (text) => {
    places.fill(0);
    places[0] = 1;
    for (let i = 0; i < text.length; i++) {
      let code = text.charCodeAt(i);
      if (isHalf(code)) {
        code = text.codePointAt(i) ?? 0;
        if (code > 0xffff) i++;
      }
      if (!advance(places, staying, steps.bits, steps.from(code))) return false;
      if (has(places, last) && has(staying, last)) return true;
    }
    return has(places, last);
  };
}

/** Whether a character of two units may begin here. */
function isHalf(unit: number): boolean {
  return (unit & 0xfc00) === 0xd800;
}

/** From each place one further where the character allows it, and there again where `%` stands. False: to nowhere. */
function advance(places: Int32Array, staying: Int32Array, bits: Int32Array, from: number): boolean {
  let carry = 0;
  let left = 0;
  for (let word = 0; word < places.length; word++) {
    const now = places[word] ?? 0;
    const moved = now & (bits[from + word] ?? 0);
    const next = (moved << 1) | carry | (now & (staying[word] ?? 0));
    carry = moved >>> 31;
    places[word] = next;
    left |= next;
  }
  return left !== 0;
}

function set(bits: Int32Array, at: number): void {
  bits[at >>> 5] = (bits[at >>> 5] ?? 0) | (1 << (at & 31));
}

function has(bits: Int32Array, at: number): boolean {
  return ((bits[at >>> 5] ?? 0) & (1 << (at & 31))) !== 0;
}
