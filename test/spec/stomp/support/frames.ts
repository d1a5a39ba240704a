/** What the server wrote, as frames. */

export interface ServerFrame {
  readonly command: string;
  /** The first of each name, as it stands in the frame. */
  readonly headers: Record<string, string>;
  readonly lines: readonly string[];
  readonly body: Buffer;
}

/** Cuts what the server wrote into frames, by the book and without its codec. A heart-beat is a frame named `EOL`. */
export function parseFrames(bytes: Buffer): ServerFrame[] {
  const frames: ServerFrame[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] === 10) {
      frames.push({ command: 'EOL', headers: {}, lines: [], body: Buffer.alloc(0) });
      at++;
      continue;
    }
    const headEnd = bytes.indexOf('\n\n', at);
    const [command = '', ...lines] = bytes.toString('utf8', at, headEnd).split('\n');
    const headers: Record<string, string> = {};
    for (const line of lines) headers[line.slice(0, line.indexOf(':'))] ??= line.slice(line.indexOf(':') + 1);
    const length = headers['content-length'];
    const end = length === undefined ? bytes.indexOf(0, headEnd + 2) : headEnd + 2 + Number(length);
    if (bytes[end] !== 0) throw new Error(`a frame without its null byte: ${bytes.toString('latin1', at, end + 1)}`);
    // PHP's extension would take the first byte of the next frame for it.
    if (bytes[end + 1] !== 10) throw new Error(`a frame without a line end behind its null byte: ${command}`);
    frames.push({ command, headers, lines, body: Buffer.from(bytes.subarray(headEnd + 2, end)) });
    at = end + 2;
  }
  return frames;
}

export function bodiesOf(frames: readonly ServerFrame[]): string[] {
  return frames.flatMap((frame) => (frame.command === 'MESSAGE' ? [frame.body.toString()] : []));
}
