import * as assert from 'uvu/assert';
import { Decoder } from '../../../../protocols/stomp/codec.ts';
import { VERSION, type VERSION_NAMES, type Version } from '../../../../protocols/stomp/version.ts';
import { COMMAND } from '../../../../protocols/stomp/words.ts';
import { BrokerError } from '../../../../src/core/errors.ts';
import { limits } from './harness.ts';

/** The versions by name, as titles have them. */
export type VersionName = (typeof VERSION_NAMES)[number];

export const VERSIONS: ReadonlyMap<VersionName, Version> = new Map([
  ['1.0', VERSION.v10],
  ['1.1', VERSION.v11],
  ['1.2', VERSION.v12],
]);

/** Decodes the pieces; each frame as a line of text, an error at the end as its code. `login`: before CONNECT. */
export function decode(pieces: readonly (string | Buffer)[], version: VersionName | 'login' = '1.2'): string[] {
  const seen: string[] = [];
  const decoder = new Decoder(
    {
      frame(frame) {
        const headers = Array.from({ length: frame.count }, (_, i) => `${frame.name(i)}=${frame.value(i)}`);
        const body = frame.buffer.toString('latin1', frame.bodyStart, frame.bodyEnd);
        seen.push(JSON.stringify([frame.command, headers, body]));
      },
    },
    limits,
  );
  if (version !== 'login') decoder.admit(VERSIONS.get(version) ?? VERSION.v12);
  for (const piece of pieces) {
    try {
      decoder.push(Buffer.from(piece));
    } catch (error) {
      assert.instance(error, BrokerError);
      if (error instanceof BrokerError) seen.push(error.code);
    }
  }
  return seen;
}

export function one(text: string | Buffer, version: VersionName | 'login' = '1.2'): string {
  const seen = decode([text], version);
  assert.is(seen.length, 1, `one frame or error: ${seen.join().slice(0, 200)}`);
  return seen[0] ?? '';
}

/** A frame as `decode` shows it. */
export function frameOf(headers: readonly string[], body = '', command: number = COMMAND.send): string {
  return JSON.stringify([command, headers, body]);
}
