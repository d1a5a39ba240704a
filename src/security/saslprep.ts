/**
 * SASLprep (RFC 4013) of names and passwords, so that the same text typed in two ways is the same. As far as Node has the
 * tables: normalisation and unassigned code points are those of Node's Unicode, which is newer than the 3.2 of the RFC, and
 * the left-to-right characters of table D.2 are taken to be the letters that are not in D.1.
 */

/** RFC 3454, table C.1.2. */
const SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu;
/** Table B.1. */
const IGNORED = /\u00ad|\u034f|\u1806|\u180b|\u180c|\u180d|\u200b|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/gu;
/** Tables A.1, C.1.2 to C.9, of which C.5 is what is not well-formed. */
const PROHIBITED = new RegExp(
  [
    String.raw`\p{Cc}|\p{Cn}|\p{Co}|\p{Cs}`,
    String.raw`[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]`,
    String.raw`\u06dd|\u070f|\u180e|\u200c|\u200d|\u2028|\u2029|[\u2060-\u2063]|[\u206a-\u206f]|\ufeff`,
    String.raw`[\ufff9-\ufffd]|[\u{1d173}-\u{1d17a}]|[\u2ff0-\u2ffb]`,
    String.raw`\u0340|\u0341|\u200e|\u200f|[\u202a-\u202e]|\u{e0001}|[\u{e0020}-\u{e007f}]`,
  ].join('|'),
  'u',
);
/** Table D.1: letters written from right to left. */
const RIGHT_TO_LEFT = String.raw`\u05be\u05c0\u05c3\u05d0-\u05ea\u05f0-\u05f4\u061b\u061f\u0621-\u063a\u0640-\u064a\u066d-\u066f\u0671-\u06d5\u06dd\u06e5\u06e6\u06fa-\u06fe\u0700-\u070d\u0710\u0712-\u072c\u0780-\u07a5\u07b1\u200f\ufb1d\ufb1f-\ufb28\ufb2a-\ufb36\ufb38-\ufb3c\ufb3e\ufb40\ufb41\ufb43\ufb44\ufb46-\ufbb1\ufbd3-\ufd3d\ufd50-\ufd8f\ufd92-\ufdc7\ufdf0-\ufdfc\ufe70-\ufe74\ufe76-\ufefc`;
const HAS_RIGHT_TO_LEFT = new RegExp(`[${RIGHT_TO_LEFT}]`, 'u');
const HAS_LEFT_TO_RIGHT = new RegExp(`(?![${RIGHT_TO_LEFT}])\\p{L}`, 'u');
/** RFC 3454, 6: such a text begins and ends with one of them. */
const FRAMED = new RegExp(`^[${RIGHT_TO_LEFT}](?:.*[${RIGHT_TO_LEFT}])?$`, 'su');
/**
 * More combining marks in a row than any writing has: the Stream-Safe Text Format (UAX #15, 13) ends at 30. Normalisation puts
 * such a run in order in quadratic time: one password of 64 KiB would hold up everything for many seconds. The last two
 * are letters that become marks.
 */
const TOO_MANY_MARKS = /[\p{M}\uff9e\uff9f]{31}/u;
const PLAIN = /^[\x20-\x7e]*$/;

/** undefined: the text has what neither names nor passwords may have. */
export function saslprep(text: string): string | undefined {
  if (PLAIN.test(text)) return text;
  const mapped = text.replace(SPACES, ' ').replace(IGNORED, '');
  if (TOO_MANY_MARKS.test(mapped)) return undefined;
  const prepared = mapped.normalize('NFKC');
  if (PROHIBITED.test(prepared)) return undefined;
  if (HAS_RIGHT_TO_LEFT.test(prepared) && (HAS_LEFT_TO_RIGHT.test(prepared) || !FRAMED.test(prepared)))
    return undefined;
  return prepared;
}
