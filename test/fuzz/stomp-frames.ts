import { Parser } from '@stomp/stompjs';
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Decoder } from '../../protocols/stomp/codec.ts';
import { VERSION, type Version } from '../../protocols/stomp/version.ts';
import { COMMAND, type Command, HEADER, HEADER_NAMES } from '../../protocols/stomp/words.ts';
import { BrokerError } from '../../src/core/errors.ts';
import { runs, tellSeed } from '../support/fuzz-runs.ts';
import { DEVIATIONS, type Deviation, escapedAs, readStomp, type StompVersion } from '../support/stomp-reference.ts';
import { cut, mutate, mutation } from './support/mutations.ts';
import { bytesOf, connectFrame, frame, insertion, version } from './support/stomp-arbitraries.ts';

/**
 * Our decoder and a parser written from the grammar read the same bytes, whole and cut anywhere; `@stomp/stompjs` reads the
 * valid ones, too. Where we take more or less than the grammar has, that is a deviation with a name.
 */

const test = suite('fuzz/stomp-frames');
tellSeed();

const LEVELS: Readonly<Record<StompVersion, Version>> = { '1.0': VERSION.v10, '1.1': VERSION.v11, '1.2': VERSION.v12 };
/** Small, so that frames reach them. */
const limits = { stompHeaders: 8, stompHeaderBytes: 210, loginPacketBytes: 900, packetBytes: 900 };
const wide = { stompHeaders: 64, stompHeaderBytes: 8192, loginPacketBytes: 65_536, packetBytes: 1_000_000 };

const COMMANDS: Readonly<Record<string, Command>> = {
  SEND: COMMAND.send,
  SUBSCRIBE: COMMAND.subscribe,
  UNSUBSCRIBE: COMMAND.unsubscribe,
  ACK: COMMAND.ack,
  NACK: COMMAND.nack,
  BEGIN: COMMAND.begin,
  COMMIT: COMMAND.commit,
  ABORT: COMMAND.abort,
  CONNECT: COMMAND.connect,
  STOMP: COMMAND.connect,
  DISCONNECT: COMMAND.disconnect,
};

interface Seen {
  readonly command: Command;
  readonly headers: readonly (readonly [string, string])[];
  /** The first of each name that we know, as asked for by its number. */
  readonly known: readonly (string | undefined)[];
  readonly body: string;
}

type Outcome = readonly (Seen | 'refused')[];

/** `connected`: CONNECT has been before. */
function ours(pieces: readonly Buffer[], level: StompVersion, connected: boolean, bounds = limits): Outcome {
  const seen: (Seen | 'refused')[] = [];
  const decoder: Decoder = new Decoder(
    {
      frame(each) {
        seen.push({
          command: each.command,
          headers: Array.from({ length: each.count }, (_, i) => [each.name(i), each.value(i)]),
          known: Object.values(HEADER).map((id) => each.text(id)),
          body: each.buffer.toString('latin1', each.bodyStart, each.bodyEnd),
        });
        if (each.command === COMMAND.connect) decoder.admit(LEVELS[level]);
      },
    },
    bounds,
  );
  if (connected) decoder.admit(LEVELS[level]);
  for (const piece of pieces) {
    try {
      // A chunk is the transport's again when the call is over.
      const chunk = Buffer.from(piece);
      decoder.push(chunk);
      chunk.fill(0xee);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      seen.push('refused');
    }
  }
  return seen;
}

const tally = new Map<Deviation, number>();

function theirs(bytes: Buffer, level: StompVersion, connected: boolean, bounds = limits): Outcome {
  const { frames, fault, needed } = readStomp(bytes, { by: 'client', version: level, connected, limits: bounds });
  for (const each of needed) tally.set(each, (tally.get(each) ?? 0) + 1);
  const seen = frames.map(({ command, headers, body }) => ({
    command: COMMANDS[command] ?? COMMAND.server,
    headers,
    known: Object.values(HEADER).map((id) => headers.find(([name]) => name === HEADER_NAMES[id])?.[1]),
    body: body.toString('latin1'),
  }));
  return fault === undefined ? seen : [...seen, 'refused'];
}

/** Ends whatever head is open: what is wrong in it is found now or with its end. */
const END = Buffer.from('\n\n\0');

const stream = version.chain((level) => fc.tuple(fc.constant(level), fc.array(frame(level), { maxLength: 4 })));
const places = fc.array(fc.nat({ max: 2000 }), { maxLength: 6 });

test('valid frames: all of them, with all that is in them, however they are cut', () => {
  fc.assert(
    fc.property(stream, places, ([level, frames], cuts) => {
      const bytes = Buffer.concat([connectFrame(level), ...frames.map((each) => bytesOf(each, level))]);
      const meant = theirs(bytes, level, false, wide);
      assert.equal(
        meant.slice(1).map((each) => (each === 'refused' ? each : each.body)),
        frames.map(({ body }) => body.toString('latin1')),
      );
      assert.equal(ours([bytes], level, false, wide), meant);
      assert.equal(ours(cut(bytes, cuts), level, false, wide), meant);
    }),
    runs(1500),
  );
});

test('valid frames in segments of one byte, and cut in two at every byte', () => {
  fc.assert(
    fc.property(stream, ([level, frames]) => {
      const bytes = Buffer.concat(frames.map((each) => bytesOf(each, level)));
      const meant = theirs(bytes, level, true, wide);
      const single = [...bytes].map((byte) => Buffer.of(byte));
      assert.equal(ours(single, level, true, wide), meant);
      for (let i = 1; i < bytes.length; i++)
        assert.equal(ours([bytes.subarray(0, i), bytes.subarray(i)], level, true, wide), meant, `cut at ${i}`);
    }),
    runs(40),
  );
});

test('valid frames, as @stomp/stompjs reads them', () => {
  fc.assert(
    fc.property(stream, ([level, frames]) => {
      const raw: (Seen | 'refused')[] = [];
      const parser = new Parser(
        ({ command, headers, binaryBody }) => {
          raw.push({
            command: COMMANDS[command ?? ''] ?? COMMAND.unknown,
            headers: headers.map(([name, value]) => [name, value]),
            known: [],
            body: Buffer.from(binaryBody ?? []).toString('latin1'),
          });
        },
        () => {},
      );
      parser.parseChunk(Uint8Array.from(Buffer.concat(frames.map((each) => bytesOf(each, level)))).buffer);
      const written = frames.map((each) => {
        const told = each.counted
          ? [...each.headers, ['content-length', `${each.body.length}`] as const]
          : each.headers;
        return {
          command: COMMANDS[each.command],
          // It unescapes later, and only values; its decoder takes a byte order mark for no part of the text.
          headers: told.map(([name, value]) =>
            [escapedAs(name, level, 'name') ?? '', escapedAs(value, level, 'value') ?? ''].map((text) =>
              text.replace(/^\uFEFF/, ''),
            ),
          ),
          known: [],
          body: each.body.toString('latin1'),
        };
      });
      assert.equal(raw, written);
    }),
    runs(500),
  );
});

test('frames with something wrong: the same is read up to there, however they are cut, or the deviation has a name', () => {
  const wrong = fc.array(fc.oneof({ weight: 2, arbitrary: mutation }, { weight: 3, arbitrary: insertion }), {
    minLength: 1,
    maxLength: 3,
  });
  let refused = 0;
  fc.assert(
    fc.property(stream, wrong, places, fc.boolean(), ([level, frames], mutations, cuts, connected) => {
      const valid = [...(connected ? [] : [connectFrame(level)]), ...frames.map((each) => bytesOf(each, level))];
      const changed = mutations.reduce(mutate, Buffer.concat(valid));
      const { left } = readStomp(changed, { by: 'client', version: level, connected, limits });
      const bytes = left > 0 ? Buffer.concat([changed, END]) : changed;
      const meant = theirs(bytes, level, connected);
      if (meant.at(-1) === 'refused') refused++;
      for (const pieces of [[bytes], cut(bytes, cuts), [...bytes].map((byte) => Buffer.of(byte))])
        assert.equal(ours(pieces, level, connected), meant, `${pieces.length} pieces of ${JSON.stringify(`${bytes}`)}`);
    }),
    runs(6000),
  );
  const met = Object.keys(DEVIATIONS).map((name) => `${name} ${[...tally].find(([each]) => each === name)?.[1] ?? 0}`);
  console.log(`measured: refused ${refused}; deviations from the grammar: ${met.join(', ')}`);
});

test.run();
