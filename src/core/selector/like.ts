/** In a pattern: any one character. */
const ANY = -1;

/**
 * Whether a whole text fits the pattern: `%` is any characters or none, `_` one character; behind `escaping` they are
 * themselves. Characters are code points.
 *
 * All places of the pattern where a text can be are followed at once, one bit for each: what one character of the text
 * costs does not depend on the text, only on the length of the pattern, by 32 of its characters at a time.
 */
export function like(pattern: string, escaping: string | undefined): (text: string) => boolean {
  const { characters, loops } = placesOf(pattern, escaping);
  const last = characters.length;
  const words = (last >>> 5) + 1;
  const staying = new Uint32Array(words);
  for (const place of loops) set(staying, place);
  const any = new Uint32Array(words);
  const steps = new Map<number, Uint32Array>();
  for (const [place, code] of characters.entries()) if (code === ANY) set(any, place);
  for (const [place, code] of characters.entries()) {
    if (code === ANY) continue;
    const step = steps.get(code) ?? any.slice();
    set(step, place);
    steps.set(code, step);
  }
  // Of one text at a time: there is nothing that could come in between.
  const places = new Uint32Array(words);
  return (text) => {
    places.fill(0);
    places[0] = 1;
    for (let i = 0; i < text.length; i++) {
      const code = text.codePointAt(i) ?? 0;
      if (code > 0xffff) i++;
      if (!advance(places, staying, steps.get(code) ?? any)) return false;
      // The rest is whatever it likes to be.
      if (has(places, last) && has(staying, last)) return true;
    }
    return has(places, last);
  };
}

/** The pattern's characters, and the places before, between and behind them where `%` stands. */
function placesOf(pattern: string, escaping: string | undefined): { characters: number[]; loops: Set<number> } {
  const characters: number[] = [];
  const loops = new Set<number>();
  const all = [...pattern];
  for (let i = 0; i < all.length; i++) {
    const char = all[i] ?? '';
    const next = all[i + 1];
    // Before anything else the escape character is one like others, as in ActiveMQ.
    if (char === escaping && (next === '%' || next === '_' || next === escaping)) {
      characters.push(codeOf(next));
      i++;
    } else if (char === '%') loops.add(characters.length);
    else characters.push(char === '_' ? ANY : codeOf(char));
  }
  return { characters, loops };
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

function codeOf(char: string | undefined): number {
  return char?.codePointAt(0) ?? 0;
}
