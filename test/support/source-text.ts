/** Text of a TypeScript file without what only looks like code. */

/** A slash begins a regular expression when no operand precedes it. */
const BEFORE_REGEX = /(?:^|[(,=:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|in|of|yield|await))\s*$/;

/** How far back the end of the code so far matters. */
const BACK = 40;

/**
 * Blanks comments (also strings and regular expressions, unless they are wanted) and keeps every line break, so that
 * positions and line numbers stay. Code inside the `${}` of a template stays.
 */
export function blank(source: string, { keepStrings = false } = {}): string {
  let out = '';
  let at = 0;
  /** For every template that is open: how many braces are open in its `${}`. */
  const templates: number[] = [];

  const skipTo = (end: number, keep: boolean): void => {
    const text = source.slice(at, end);
    out += keep ? text : text.replace(/[^\n]/g, ' ');
    at = end;
  };
  const template = (): void => {
    let end = at;
    while (end < source.length && source[end] !== '`' && !source.startsWith('${', end))
      end += source[end] === '\\' ? 2 : 1;
    const opens = source.startsWith('${', end);
    skipTo(end, keepStrings);
    out += source.slice(at, at + (opens ? 2 : 1));
    at += opens ? 2 : 1;
    if (opens) templates.push(0);
  };

  while (at < source.length) {
    const char = source[at] ?? '';
    const depth = templates.at(-1);
    if (source.startsWith('//', at)) {
      const end = source.indexOf('\n', at);
      skipTo(end < 0 ? source.length : end, false);
    } else if (source.startsWith('/*', at)) {
      const end = source.indexOf('*/', at + 2);
      skipTo(end < 0 ? source.length : end + 2, false);
    } else if (char === "'" || char === '"') {
      skipTo(endOf(source, at, char), keepStrings);
    } else if (char === '/' && BEFORE_REGEX.test(out.slice(-BACK))) {
      skipTo(endOfRegex(source, at), keepStrings);
    } else {
      out += char;
      at++;
      if (char === '`') template();
      else if (depth !== undefined && char === '{') templates[templates.length - 1] = depth + 1;
      else if (depth !== undefined && char === '}') {
        if (depth > 0) templates[templates.length - 1] = depth - 1;
        else {
          templates.pop();
          template();
        }
      }
    }
  }
  return out;
}

function endOf(source: string, from: number, quote: string): number {
  let at = from + 1;
  while (at < source.length && source[at] !== quote && source[at] !== '\n') at += source[at] === '\\' ? 2 : 1;
  return at + 1;
}

function endOfRegex(source: string, from: number): number {
  let inClass = false;
  let at = from + 1;
  for (; at < source.length && source[at] !== '\n'; at++) {
    if (source[at] === '\\') at++;
    else if (source[at] === '[') inClass = true;
    else if (source[at] === ']') inClass = false;
    else if (source[at] === '/' && !inClass) break;
  }
  return at + 1;
}
