/** In a pattern: any one character. */
export const ANY = -1;

/**
 * Patterns of LIKE with `_` in them. All places of the pattern where a text can be are followed at once, one bit for
 * each: what one character of the text costs does not depend on the text, only on the length of the pattern, by 32 of its
 * characters at a time.
 */
export function placesOfPattern(pieces: readonly (readonly number[])[]): (text: string) => boolean {
  const codes = pieces.flat();
  const last = codes.length;
  const words = (last >>> 5) + 1;
  const staying = new Uint32Array(words);
  let place = 0;
  for (const piece of pieces.slice(0, -1)) {
    place += piece.length;
    set(staying, place);
  }
  const anyOne = new Uint32Array(words);
  const steps = new Map<number, Uint32Array>();
  for (const [at, code] of codes.entries()) if (code === ANY) set(anyOne, at);
  for (const [at, code] of codes.entries()) {
    if (code === ANY) continue;
    const step = steps.get(code) ?? anyOne.slice();
    set(step, at);
    steps.set(code, step);
  }
  return words === 1 ? inOneWord(staying, anyOne, steps, last) : inWords(staying, anyOne, steps, last);
}

type Steps = ReadonlyMap<number, Uint32Array>;

/** The usual pattern has less than 32 characters. */
function inOneWord(
  stayingIn: Uint32Array,
  anyOneIn: Uint32Array,
  steps: Steps,
  last: number,
): (text: string) => boolean {
  const staying = stayingIn[0] ?? 0;
  const anyOne = anyOneIn[0] ?? 0;
  const words = new Map(Array.from(steps, ([code, [word = 0]]) => [code, word]));
  const whole = 1 << last;
  return (text) => {
    let now = 1;
    for (let i = 0; i < text.length; i++) {
      const code = text.codePointAt(i) ?? 0;
      if (code > 0xffff) i++;
      now = ((now & (words.get(code) ?? anyOne)) << 1) | (now & staying);
      if (now === 0) return false;
      // The rest is whatever it likes to be.
      if ((now & staying & whole) !== 0) return true;
    }
    return (now & whole) !== 0;
  };
}

function inWords(staying: Uint32Array, anyOne: Uint32Array, steps: Steps, last: number): (text: string) => boolean {
  // Of one text at a time: there is nothing that could come in between.
  const places = new Uint32Array(staying.length);
  return (text) => {
    places.fill(0);
    places[0] = 1;
    for (let i = 0; i < text.length; i++) {
      const code = text.codePointAt(i) ?? 0;
      if (code > 0xffff) i++;
      if (!advance(places, staying, steps.get(code) ?? anyOne)) return false;
      if (has(places, last) && has(staying, last)) return true;
    }
    return has(places, last);
  };
}

/** From each place one further where the character allows it, and there again where `%` stands. False: to nowhere. */
function advance(places: Uint32Array, staying: Uint32Array, step: Uint32Array): boolean {
  let carry = 0;
  let left = 0;
  for (let word = 0; word < places.length; word++) {
    const now = places[word] ?? 0;
    const moved = now & (step[word] ?? 0);
    const next = (moved << 1) | carry | (now & (staying[word] ?? 0));
    carry = moved >>> 31;
    places[word] = next;
    left |= next;
  }
  return left !== 0;
}

function set(bits: Uint32Array, at: number): void {
  bits[at >>> 5] = (bits[at >>> 5] ?? 0) | (1 << (at & 31));
}

function has(bits: Uint32Array, at: number): boolean {
  return ((bits[at >>> 5] ?? 0) & (1 << (at & 31))) !== 0;
}
