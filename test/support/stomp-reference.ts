/**
 * STOMP frames read by the text of the specifications, slowly and plainly: the whole stream is there, and each line is cut out
 * and looked at. Where the broker takes more or less than the grammar says (Augmented BNF), that is a deviation with a name and
 * a reason. A reading says which deviations it needed; what the broker writes needs none.
 */

export type StompVersion = '1.0' | '1.1' | '1.2';

/** What is taken although the grammar does not have it, and what is refused although it does. */
export const DEVIATIONS = {
  colon: 'a colon in a value, which the grammars of 1.1 and 1.2 want escaped; every server takes it',
  crlf: 'CR LF as line end before 1.2, where the command line has it or before the body',
  returns: 'CR between frames before 1.2, from clients that write CR LF behind their frames',
  before: 'line ends before the first frame: the grammar has them behind frames only, heart-beats may come at any time',
  blanks: 'space around names and values of 1.0, whose clients write `name: value`, is left out',
  noBody: 'line ends where a frame that has no body would have it',
  copied: 'the content-length of an ACK or NACK that has all headers of its MESSAGE: it is not looked at',
  nulls: 'null bytes between frames, as in RabbitMQ',
  early: 'space around the content-length of a frame before CONNECT is left out: its sender may speak 1.0',
  nul: 'refused: a null byte in a head, where the grammar has any octet; no client sends it but for a forgotten empty line',
  utf8: 'refused: a head that is not UTF-8, which the grammar does not say of its octets, but the text does',
  nameReturn: 'refused: CR in a name before 1.2',
  serverBody: 'refused: a body in frames that only servers send',
  unescaped: 'a frame before CONNECT is not unescaped: its version is not known',
  second: 'a second CONNECT is read as other frames are: it is refused anyway',
} as const;

export type Deviation = keyof typeof DEVIATIONS;

export interface ReferenceFrame {
  readonly command: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

export interface Reading {
  readonly frames: readonly ReferenceFrame[];
  /** Why the frame behind those is none; undefined where there is nothing wrong so far. */
  readonly fault: string | undefined;
  /** Bytes of a frame that is not there in full. */
  readonly left: number;
  readonly needed: ReadonlySet<Deviation>;
}

export interface ReferenceLimits {
  readonly stompHeaders: number;
  /** Bytes of a header line. */
  readonly stompHeaderBytes: number;
  /** Bytes of a frame. */
  readonly packetBytes: number;
}

const UNLIMITED: ReferenceLimits = { stompHeaders: Infinity, stompHeaderBytes: Infinity, packetBytes: Infinity };

const CLIENTS = 'SEND SUBSCRIBE UNSUBSCRIBE ACK NACK BEGIN COMMIT ABORT CONNECT STOMP DISCONNECT'.split(' ');
const SERVERS = ['CONNECTED', 'MESSAGE', 'RECEIPT', 'ERROR'];
/** `Only the SEND, MESSAGE, and ERROR frames MAY have a body.` */
const WITH_BODY = ['SEND', 'MESSAGE', 'ERROR'];
const LF = 10;
const CR = 13;

class Fault extends Error {}
/** The rest of the frame is still to come. */
class More extends Error {}

export interface Side {
  /** Who wrote it. */
  readonly by: 'client' | 'server';
  /** Spoken from the first CONNECT or CONNECTED on. */
  readonly version: StompVersion;
  /** That frame has been before. */
  readonly connected?: boolean;
  readonly limits?: ReferenceLimits;
}

export function readStomp(bytes: Buffer, { by, version, connected = false, limits = UNLIMITED }: Side): Reading {
  const frames: ReferenceFrame[] = [];
  const needed = new Set<Deviation>();
  let spoken = connected ? version : undefined;
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] === LF || bytes[at] === CR) {
      if (bytes[at] === CR && spoken !== undefined && spoken !== '1.2') needed.add('returns');
      if (frames.length === 0) needed.add('before');
      at++;
      continue;
    }
    if (bytes[at] === 0 && by === 'client') {
      needed.add('nulls');
      at++;
      continue;
    }
    try {
      const reader = new FrameReader(bytes, at, by, spoken, limits, needed);
      const frame = reader.read();
      frames.push(frame);
      at = reader.at;
      if (['CONNECT', 'STOMP', 'CONNECTED'].includes(frame.command)) spoken ??= version;
    } catch (error) {
      if (error instanceof Fault) return { frames, fault: error.message, left: bytes.length - at, needed };
      if (!(error instanceof More)) throw error;
      return { frames, fault: undefined, left: bytes.length - at, needed };
    }
  }
  return { frames, fault: undefined, left: 0, needed };
}

class FrameReader {
  at: number;
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #by: 'client' | 'server';
  readonly #version: StompVersion | undefined;
  readonly #limits: ReferenceLimits;
  readonly #needed: Set<Deviation>;
  /** The command line ends with CR LF. */
  #returns = false;

  constructor(
    bytes: Buffer,
    at: number,
    by: 'client' | 'server',
    version: StompVersion | undefined,
    limits: ReferenceLimits,
    needed: Set<Deviation>,
  ) {
    this.#bytes = bytes;
    this.#start = at;
    this.at = at;
    this.#by = by;
    this.#version = version;
    this.#limits = limits;
    this.#needed = needed;
  }

  read(): ReferenceFrame {
    const command = this.#command();
    const headers: (readonly [string, string])[] = [];
    for (let line = this.#line(); !this.#ends(line); line = this.#line()) {
      if (line.length > this.#limits.stompHeaderBytes) throw new Fault('a line is too long');
      if (headers.length >= this.#limits.stompHeaders) throw new Fault('too many headers');
      headers.push(this.#header(line, command));
    }
    this.#fits(this.at);
    return { command, headers, body: this.#body(command, headers) };
  }

  #fits(end: number): void {
    if (end - this.#start > this.#limits.packetBytes) throw new Fault('the frame is too large');
  }

  /** Up to the next LF. */
  #line(): Buffer {
    const end = this.#bytes.indexOf(LF, this.at);
    const line = this.#bytes.subarray(this.at, end === -1 ? this.#bytes.length : end);
    if (line.includes(0)) {
      this.#needed.add('nul');
      throw new Fault('a null byte in the head');
    }
    if (end === -1) {
      this.#fits(this.#bytes.length);
      if (line.length > this.#limits.stompHeaderBytes) throw new Fault('a line is too long');
      throw new More();
    }
    this.at = end + 1;
    return line;
  }

  #command(): string {
    const line = this.#line();
    this.#returns = line.at(-1) === CR;
    if (this.#returns && this.#version !== undefined && this.#version !== '1.2') this.#needed.add('crlf');
    const command = line.subarray(0, this.#returns ? -1 : undefined).toString('latin1');
    if (![...CLIENTS, ...SERVERS].includes(command)) throw new Fault(`${JSON.stringify(command)} is no command`);
    if (this.#by === 'server' && !SERVERS.includes(command)) throw new Fault(`${command} is not the server's`);
    return command;
  }

  /** Whether the line is the empty one. */
  #ends(line: Buffer): boolean {
    if (line.length === 0) return true;
    if (line.length > 1 || line[0] !== CR) return false;
    if (this.#version === '1.0' || this.#version === '1.1') this.#needed.add('crlf');
    return true;
  }

  #header(whole: Buffer, command: string): readonly [string, string] {
    const old = this.#version === '1.0' || this.#version === '1.1';
    // EOL = [CR] LF in 1.2, LF before.
    const line = whole.at(-1) === CR && (!old || this.#returns) ? whole.subarray(0, -1) : whole;
    const colon = line.indexOf(':');
    if (colon === -1) throw new Fault('a header without a colon');
    const [name, value] = [line.subarray(0, colon), line.subarray(colon + 1)];
    if (name.includes(CR)) {
      if (old) this.#needed.add('nameReturn');
      throw new Fault('CR in a name');
    }
    if (this.#version === '1.2' && value.includes(CR)) throw new Fault('CR in a value');
    if (!isText(line)) {
      this.#needed.add('utf8');
      throw new Fault('no UTF-8');
    }
    const pair = this.#decoded(name.toString(), value.toString(), command);
    if (pair[0] === '') throw new Fault('a header without a name');
    return pair;
  }

  #decoded(name: string, value: string, command: string): readonly [string, string] {
    // The grammar of 1.0 has no escapes.
    if (this.#version === '1.0' && this.#by === 'server') return [name, value];
    if (this.#version === '1.0') {
      const trimmed = [trim(name), trim(value)] as const;
      if (trimmed[0] !== name || trimmed[1] !== value) this.#needed.add('blanks');
      return trimmed;
    }
    // `C and CONNECTED frames are not escaped`: nor have they colons to escape, then.
    const bare = this.#version === undefined || command === 'CONNECTED';
    if (this.#version === undefined && !['CONNECT', 'STOMP', 'CONNECTED'].includes(command))
      this.#needed.add('unescaped');
    if (bare) return [name, value];
    if (value.includes(':')) this.#needed.add('colon');
    if (command === 'CONNECT' || command === 'STOMP') this.#needed.add('second');
    return [unescaped(name, this.#version), unescaped(value, this.#version)];
  }

  #body(command: string, headers: readonly (readonly [string, string])[]): Buffer {
    const told = headers.find(([name]) => name === 'content-length')?.[1];
    const copied = this.#by === 'client' && (command === 'ACK' || command === 'NACK');
    const text = copied ? undefined : this.#length(told);
    const from = this.at;
    if (text !== undefined && !/^[0-9]+$/.test(text)) throw new Fault('content-length is no number');
    const end = text === undefined ? this.#bytes.indexOf(0, from) : from + Number(text);
    this.#fits(end === -1 ? this.#bytes.length : end + 1);
    if (end === -1 || end >= this.#bytes.length) throw new More();
    if (this.#bytes[end] !== 0) throw new Fault('no null byte where content-length says');
    const body = this.#bytes.subarray(from, end);
    if (copied && told !== undefined && told !== `${body.length}`) this.#needed.add('copied');
    this.at = end + 1;
    this.#mayHave(body, command);
    return body;
  }

  #length(text: string | undefined): string | undefined {
    if (text === undefined || this.#version !== undefined) return text;
    const bare = trim(text);
    if (bare !== text) this.#needed.add('early');
    return bare;
  }

  #mayHave(body: Buffer, command: string): void {
    if (body.length === 0 || command === 'SEND') return;
    // `The body of the SUBSCRIBE command is ignored` in 1.0, by which frames before CONNECT are read, too.
    if (command === 'SUBSCRIBE' && (this.#version ?? '1.0') === '1.0') return;
    if (this.#by === 'server' && WITH_BODY.includes(command)) return;
    if (body.every((byte) => byte === LF || byte === CR)) {
      if (!WITH_BODY.includes(command)) this.#needed.add('noBody');
      return;
    }
    if (WITH_BODY.includes(command)) this.#needed.add('serverBody');
    throw new Fault(`a body in ${command}`);
  }
}

/** Space and tab, and CR at the end. */
function trim(text: string): string {
  return text.replace(/^[ \t]+/, '').replace(/[ \t\r]+$/, '');
}

function isText(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString()).equals(bytes);
}

const ESCAPED: Readonly<Record<string, string>> = { c: ':', n: '\n', r: '\r', '\\': '\\' };

function unescaped(text: string, version: StompVersion | undefined): string {
  let made = '';
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '\\') {
      made += text[i];
      continue;
    }
    const next = text[++i] ?? '';
    const letter = version === '1.1' && next === 'r' ? undefined : ESCAPED[next];
    if (letter === undefined) throw new Fault(`\\${next} is undefined`);
    made += letter;
  }
  return made;
}

/** As it stands in a header of that version; undefined where it cannot stand there. */
export function escapedAs(text: string, version: StompVersion, part: 'name' | 'value'): string | undefined {
  if (text.includes('\0') || (version !== '1.2' && text.includes('\r'))) return undefined;
  if (version === '1.0') return text.includes('\n') || (part === 'name' && text.includes(':')) ? undefined : text;
  const escapes: Readonly<Record<string, string>> = { ':': '\\c', '\n': '\\n', '\r': '\\r', '\\': '\\\\' };
  return [...text].map((letter) => escapes[letter] ?? letter).join('');
}
