import { ANY, placesOfPattern } from './like-places.ts';

/**
 * Whether a whole text fits the pattern: `%` is any characters or none, `_` one character; behind `escaping` they are
 * themselves. Characters are code points.
 */
export function like(pattern: string, escaping: string | undefined): (text: string) => boolean {
  const pieces = piecesOf(pattern, escaping);
  if (pieces.some((piece) => piece.includes(ANY))) return placesOfPattern(pieces);
  const short = inOrder(pieces.map(textOf));
  if (pieces.length === 1) return short;
  let long: ((text: string) => boolean) | undefined;
  return (text) => {
    if (text.length <= SHORT) return short(text);
    long ??= placesOfPattern(pieces);
    return long(text);
  };
}

/** UTF-16 units. In a longer text that is made for it, `indexOf` looks at the same places again and again. */
const SHORT = 256;

/** The pattern's characters between one `%` and the next. */
function piecesOf(pattern: string, escaping: string | undefined): number[][] {
  let piece: number[] = [];
  const pieces = [piece];
  const all = [...pattern];
  for (let i = 0; i < all.length; i++) {
    const char = all[i] ?? '';
    const next = all[i + 1];
    // Before anything else the escape character is one like others, as in ActiveMQ.
    if (char === escaping && (next === '%' || next === '_' || next === escaping)) {
      piece.push(codeOf(next));
      i++;
    } else if (char === '%') {
      piece = [];
      pieces.push(piece);
    } else piece.push(char === '_' ? ANY : codeOf(char));
  }
  return pieces;
}

/** Begins with the first piece, ends with the last one, and has the others in between, one behind the other. */
function inOrder(pieces: readonly string[]): (text: string) => boolean {
  const first = pieces[0] ?? '';
  if (pieces.length === 1) return (text) => text === first;
  const last = pieces.at(-1) ?? '';
  const middle = pieces.slice(1, -1).filter((piece) => piece !== '');
  return (text) => {
    const end = text.length - last.length;
    if (end < first.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    let at = first.length;
    for (let i = 0; i < middle.length; i++) {
      const piece = middle[i] ?? '';
      at = text.indexOf(piece, at);
      if (at === -1) return false;
      at += piece.length;
    }
    return at <= end;
  };
}

function textOf(codes: readonly number[]): string {
  return String.fromCodePoint(...codes);
}

function codeOf(char: string | undefined): number {
  return char?.codePointAt(0) ?? 0;
}
