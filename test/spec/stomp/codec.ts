import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Decoder } from '../../../protocols/stomp/codec.ts';
import { VERSION } from '../../../protocols/stomp/version.ts';
import { decode, frameOf, one } from './support/decode.ts';
import { limits } from './support/harness.ts';

/** What the specification does not say of frames: how much of them, how fast, and however they arrive. */

const codec = suite('STOMP codec');

codec('headers named like parts of an object are headers like others', () => {
  const names = ['__proto__', 'hasOwnProperty', 'constructor', 'toString'];
  const text = `SEND\n${names.map((name) => `${name}:x\n`).join('')}\n\0`;
  assert.is(one(text), frameOf(names.map((name) => `${name}=x`)));
});

// Those of the grammar that are the same in each version: ../stomp12/frames.
codec('malformed frames', () => {
  const rows: readonly string[] = [
    'send\n\n\0',
    'FOO\n\n\0',
    'SEND\na:b\rc\n\n\0',
    'SEND\na\r:c\n\n\0',
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    'BEGIN\ntransaction:a\n\nbody\0',
  ];
  for (const row of rows) assert.is(one(row), 'malformed', JSON.stringify(row));
});

codec('not another byte is parsed after a malformed frame', () => {
  assert.equal(decode(['SEND\nbad\n\n\0SEND\n\n\0', 'SEND\n\n\0']), ['malformed']);
});

codec('limits: headers, bytes of a line, bytes of a frame before login and after', () => {
  const headers = (count: number) => `SEND\n${'a:b\n'.repeat(count)}\n\0`;
  assert.match(one(headers(16)), 'a=b');
  assert.is(one(headers(17)), 'tooLarge');
  const line = (bytes: number) => `SEND\na:${'x'.repeat(bytes - 2)}\n\n\0`;
  assert.match(one(line(256)), 'xxx');
  assert.is(one(line(257)), 'tooLarge');
  const sized = (bytes: number) => `SEND\n\n${'x'.repeat(bytes - 7)}\0`;
  assert.ok(one(sized(1_048_576)).includes('xxx'));
  assert.is(one(sized(1_048_577)), 'tooLarge');
  assert.ok(one(sized(65_536), 'login').includes('xxx'));
  assert.is(one(sized(65_537), 'login'), 'tooLarge');
});

codec('RabbitMQ 1a65903492: as many headers as the limit allows, all of them there, in linear time', () => {
  for (const name of [(i: number) => `h${i}`, () => 'same', () => 'destination']) {
    const values: string[] = [];
    const decoder = new Decoder(
      { frame: (frame) => void values.push(...Array.from({ length: frame.count }, (_, i) => frame.value(i))) },
      { ...limits, stompHeaders: 100_000, packetBytes: 10_000_000 },
    );
    decoder.admit(VERSION.v12);
    const lines = Array.from({ length: 100_000 }, (_, i) => `${name(i)}:${i}\n`).join('');
    const began = process.hrtime.bigint();
    decoder.push(Buffer.from(`SEND\n${lines}\n\0`));
    assert.ok(Number(process.hrtime.bigint() - began) / 1e6 < 2000);
    assert.is(values.length, 100_000);
    assert.is(values[99_999], '99999');
  }
});

codec('limits hold while a frame is still arriving', () => {
  assert.equal(decode([`SEND\na:${'x'.repeat(254)}`]), []);
  assert.equal(decode([`SEND\na:${'x'.repeat(255)}`]), ['tooLarge']);
  assert.equal(decode([`SEND\n${'a:b\n'.repeat(17)}`]), ['tooLarge']);
  assert.equal(decode([`SEND\n\n`, Buffer.alloc(1_048_576, 'x')]), ['tooLarge']);
  assert.equal(decode([`SEND\n\n`, Buffer.alloc(65_536, 'x')], 'login'), ['tooLarge']);
  assert.equal(decode(['SEND\ncontent-length:1048570\n\n']), ['tooLarge'], 'before any of it is there');
  assert.equal(decode(['SEND\n', 'a:b\n'.repeat(limits.stompHeaders)]), []);
  assert.equal(decode(['SEND\n', 'a:b\n'.repeat(limits.stompHeaders + 1)]), ['tooLarge']);
  // To the byte, of which the null byte is the last: what comes in pieces is no larger than what comes at once.
  const room = limits.packetBytes - 'SEND\n\n'.length;
  assert.equal(decode(['SEND\n\n', Buffer.alloc(room, 'x')]), []);
  assert.equal(decode(['SEND\n\n', Buffer.alloc(room + 1, 'x')]), ['tooLarge']);
  const counted = limits.packetBytes - 'SEND\ncontent-length:1000000\n\n'.length - 1;
  assert.equal(decode(['SEND\n', `content-length:${counted}\n\n`]), []);
  assert.equal(decode(['SEND\n', `content-length:${counted + 1}\n\n`]), ['tooLarge']);
});

codec('every split point of frames of all kinds', () => {
  const bytes = Buffer.from(
    '\nSEND\r\ndestination:/topic/é\r\ncontent-length:3\r\n\r\na\0b\0\r\n\nSEND\nx\\c:\\\\\n\nbody\0SUBSCRIBE\nid:0\n\n\0\n',
  );
  const whole = decode([bytes]);
  assert.is(whole.length, 3);
  for (let i = 0; i <= bytes.length; i++) {
    assert.equal(decode([bytes.subarray(0, i), bytes.subarray(i)]), whole, `split at ${i}`);
  }
  assert.equal(decode([...bytes].map((byte) => Buffer.of(byte))), whole, 'byte by byte');
});

const header = fc.tuple(fc.stringMatching(/^[a-zé.-]{1,8}$/), fc.stringMatching(/^[ -~é]{0,12}$/));
const anyFrame = fc.record({
  headers: fc.array(header, { maxLength: 6 }),
  body: fc.uint8Array({ maxLength: 300 }),
  counted: fc.boolean(),
  eol: fc.constantFrom('\n', '\r\n'),
});

codec('property: frames survive encoding and any cutting', () => {
  const escaped = (text: string) => text.replaceAll('\\', '\\\\').replaceAll(':', '\\c');
  fc.assert(
    fc.property(
      fc.array(anyFrame, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(400), { maxLength: 8 }),
      (all, cuts) => {
        const expected: string[] = [];
        const encoded = all.map(({ headers, body, counted, eol }) => {
          const bytes = Buffer.from(counted ? body : body.filter((byte) => byte !== 0));
          const pairs = counted ? [...headers, ['content-length', String(bytes.length)]] : headers;
          const named = pairs.map(([name = '', value = '']) => [name, value] as const);
          expected.push(
            frameOf(
              named.map(([name, value]) => `${name}=${value}`),
              bytes.toString('latin1'),
            ),
          );
          const lines = named.map(([name, value]) => `${escaped(name)}:${escaped(value)}${eol}`).join('');
          return Buffer.concat([Buffer.from(`SEND${eol}${lines}${eol}`), bytes, Buffer.of(0)]);
        });
        const stream = Buffer.concat(encoded);
        const points = [0, ...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length];
        const pieces = points.slice(1).map((point, i) => stream.subarray(points[i], point));
        assert.equal(decode(pieces), expected);
      },
    ),
    { numRuns: 300 },
  );
});

codec('RabbitMQ 3f1ca3c3e2: a frame of 1 MB in segments of one byte takes linear time', () => {
  const frames: number[] = [];
  const decoder = new Decoder({ frame: (frame) => void frames.push(frame.bodyEnd - frame.bodyStart) }, limits);
  decoder.admit(VERSION.v12);
  const feed = (text: string) => {
    const bytes = Buffer.from(text);
    const began = process.hrtime.bigint();
    for (let i = 0; i < bytes.length; i++) decoder.push(bytes.subarray(i, i + 1));
    return Number(process.hrtime.bigint() - began) / 1e6;
  };
  for (const length of ['content-length:1048000\n', '']) {
    const milliseconds = feed(`SEND\n${length}\n${'x'.repeat(1_048_000)}\0`);
    // Copying all that is there for each byte that comes would take minutes.
    assert.ok(milliseconds < 3000, `${milliseconds} ms`);
  }
  assert.equal(frames, [1_048_000, 1_048_000]);
});

codec('CVE-2017-7651: a declared content-length is not allocated before it arrives', () => {
  const before = process.memoryUsage().arrayBuffers;
  const decoders = Array.from({ length: 500 }, () => {
    const decoder = new Decoder({ frame() {} }, { ...limits, packetBytes: 100_000_000 });
    decoder.admit(VERSION.v12);
    decoder.push(Buffer.from('SEND\ncontent-length:90000000\n\nfew bytes'));
    return decoder;
  });
  assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
  assert.is(decoders.length, 500);
});

codec.run();
