/** Reads what a server of MQTT 5 sends, and throws for whatever the specification does not allow it to send. */

export interface UserPair {
  readonly name: string;
  readonly value: string;
}

export type PropertyValue = number | string | Buffer | UserPair;
export type PropertyList = readonly (readonly [id: number, value: PropertyValue])[];

export interface Received {
  readonly type: number;
  readonly flags: number;
  /** Of the whole packet. */
  readonly bytes: number;
  /** Reason of CONNACK, PUBACK … DISCONNECT; those of SUBACK and UNSUBACK in order. */
  readonly reasons: readonly number[];
  readonly sessionPresent: boolean;
  /** 0 where there is none. */
  readonly id: number;
  readonly topic: string;
  readonly payload: Buffer;
  readonly properties: PropertyList;
}

const REASONS: ReadonlyMap<number, readonly number[]> = new Map([
  [
    2,
    [
      0, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b,
      0x9c, 0x9d, 0x9f,
    ],
  ],
  [4, [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]],
  [5, [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]],
  [6, [0, 0x92]],
  [7, [0, 0x92]],
  [9, [0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2]],
  [11, [0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91]],
  [
    14,
    [
      0, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
      0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
    ],
  ],
  [15, [0, 0x18]],
]);

/** Properties a server may send, by packet type (2.2.2.2). */
const PROPERTIES: ReadonlyMap<number, readonly number[]> = new Map([
  [2, [0x11, 0x12, 0x13, 0x15, 0x16, 0x1a, 0x1c, 0x1f, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a]],
  [3, [0x01, 0x02, 0x03, 0x08, 0x09, 0x0b, 0x23, 0x26]],
  ...[4, 5, 6, 7, 9, 11].map((type): [number, number[]] => [type, [0x1f, 0x26]]),
  [14, [0x1c, 0x1f, 0x26]],
  [15, [0x15, 0x16, 0x1f, 0x26]],
]);

const ONE_BYTE = [0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a];
const TWO_BYTES = [0x13, 0x21, 0x22, 0x23];
const FOUR_BYTES = [0x02, 0x11, 0x18, 0x27];
const BINARY = [0x09, 0x16];

function refuse(what: string): never {
  throw new Error(`the server broke the specification: ${what}`);
}

const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

class Cursor {
  readonly data: Buffer;
  at: number;
  readonly end: number;

  constructor(data: Buffer, at: number, end: number) {
    this.data = data;
    this.at = at;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  take(bytes: number): Buffer {
    if (bytes > this.left) refuse('a packet ends before its content');
    this.at += bytes;
    return this.data.subarray(this.at - bytes, this.at);
  }

  integer(bytes: number): number {
    return this.take(bytes).readUIntBE(0, bytes);
  }

  variable(): number {
    let value = 0;
    for (let i = 0; i < 4; i++) {
      const byte = this.integer(1);
      value |= (byte & 0x7f) << (7 * i);
      if (byte >= 0x80) continue;
      if (byte === 0 && i > 0) refuse('a Variable Byte Integer is longer than it must be [MQTT-1.5.5-1]');
      return value;
    }
    return refuse('a Variable Byte Integer has more than four bytes');
  }

  string(): string {
    const decoded = text.decode(this.take(this.integer(2)));
    if (decoded.includes('\0')) refuse('U+0000 in a string [MQTT-1.5.4-2]');
    return decoded;
  }
}

function readValue(cursor: Cursor, id: number): PropertyValue {
  if (ONE_BYTE.includes(id)) {
    const value = cursor.integer(1);
    return value > 1 ? refuse(`property ${id} is ${value}`) : value;
  }
  if (TWO_BYTES.includes(id)) return cursor.integer(2);
  if (FOUR_BYTES.includes(id)) return cursor.integer(4);
  if (BINARY.includes(id)) return cursor.take(cursor.integer(2));
  if (id === 0x0b) return cursor.variable();
  if (id === 0x26) return { name: cursor.string(), value: cursor.string() };
  return cursor.string();
}

function readProperties(outer: Cursor, type: number): PropertyList {
  const length = outer.variable();
  const cursor = new Cursor(outer.take(length), 0, length);
  const list: [number, PropertyValue][] = [];
  while (cursor.left > 0) {
    const id = cursor.variable();
    if (PROPERTIES.get(type)?.includes(id) !== true) refuse(`property ${id} in packet type ${type} (2.2.2.2)`);
    const repeats = id === 0x26 || (id === 0x0b && type === 3);
    if (!repeats && list.some(([seen]) => seen === id)) refuse(`property ${id} twice in packet type ${type}`);
    const value = readValue(cursor, id);
    if (value === 0 && [0x0b, 0x21, 0x23, 0x27].includes(id)) refuse(`property ${id} is 0`);
    list.push([id, value]);
  }
  return list;
}

function checkReasons(type: number, reasons: readonly number[]): void {
  for (const reason of reasons) {
    if (REASONS.get(type)?.includes(reason) !== true) refuse(`reason ${reason} in packet type ${type} (2.4)`);
  }
}

/** One packet of the server with its bytes, or undefined when `data` has not all of it. */
export function readPacket(data: Buffer): Received | undefined {
  const header = new Cursor(data, 1, data.length);
  if (data.length < 2 || (data[1] ?? 0) > 0x7f) {
    const last = data.subarray(1, 5).findIndex((byte) => byte < 0x80);
    if (data.length < 2 || (last === -1 && data.length < 5)) return undefined;
  }
  const length = header.variable();
  if (header.left < length) return undefined;
  const cursor = new Cursor(data, header.at, header.at + length);
  const type = (data[0] ?? 0) >> 4;
  const flags = (data[0] ?? 0) & 15;
  const body = readBody(cursor, type, flags);
  if (cursor.left > 0) refuse(`packet type ${type} has bytes behind its content`);
  checkReasons(type, body.reasons ?? []);
  return {
    type,
    flags,
    bytes: cursor.end,
    reasons: [],
    sessionPresent: false,
    id: 0,
    topic: '',
    payload: Buffer.alloc(0),
    properties: [],
    ...body,
  };
}

function readBody(cursor: Cursor, type: number, flags: number): Partial<Received> {
  if (type !== 3 && flags !== (type === 6 ? 2 : 0)) refuse(`flags ${flags} of packet type ${type} [MQTT-2.1.3-1]`);
  switch (type) {
    case 2: {
      const acknowledge = cursor.integer(1);
      if (acknowledge > 1) refuse('reserved Connect Acknowledge Flags [MQTT-3.2.2-1]');
      const reason = cursor.integer(1);
      if (reason !== 0 && acknowledge === 1) refuse('Session Present in a refusal [MQTT-3.2.2-6]');
      return { sessionPresent: acknowledge === 1, reasons: [reason], properties: readProperties(cursor, 2) };
    }
    case 3:
      return readPublish(cursor, flags);
    case 4:
    case 5:
    case 6:
    case 7: {
      const id = cursor.integer(2);
      const reasons = [cursor.left > 0 ? cursor.integer(1) : 0];
      return { id, reasons, properties: cursor.left > 0 ? readProperties(cursor, type) : [] };
    }
    case 9:
    case 11: {
      const id = cursor.integer(2);
      const properties = readProperties(cursor, type);
      return { id, properties, reasons: [...cursor.take(cursor.left)] };
    }
    case 13:
      return {};
    case 14:
    case 15: {
      const reasons = [cursor.left > 0 ? cursor.integer(1) : 0];
      return { reasons, properties: cursor.left > 0 ? readProperties(cursor, type) : [] };
    }
    default:
      return refuse(`packet type ${type} is not for servers to send`);
  }
}

function readPublish(cursor: Cursor, flags: number): Partial<Received> {
  const qos = (flags >> 1) & 3;
  if (qos === 3) refuse('QoS 3 [MQTT-3.3.1-4]');
  if (qos === 0 && (flags & 8) !== 0) refuse('DUP at QoS 0 [MQTT-3.3.1-2]');
  const topic = cursor.string();
  if (/[+#]/.test(topic)) refuse('a topic name with a wildcard [MQTT-3.3.2-2]');
  const id = qos === 0 ? 0 : cursor.integer(2);
  if (qos > 0 && id === 0) refuse('packet identifier 0 [MQTT-2.2.1-4]');
  const properties = readProperties(cursor, 3);
  if (topic === '' && !properties.some(([property]) => property === 0x23)) refuse('neither topic nor alias');
  return { topic, id, properties, payload: Buffer.from(cursor.take(cursor.left)) };
}

export function propertyOf({ properties }: Received, id: number): PropertyValue | undefined {
  return properties.find(([each]) => each === id)?.[1];
}

export function valuesOf({ properties }: Received, id: number): PropertyValue[] {
  return properties.filter(([each]) => each === id).map(([, value]) => value);
}

export function qosOf({ flags }: Received): number {
  return (flags >> 1) & 3;
}

export function isRetained({ flags }: Received): boolean {
  return (flags & 1) === 1;
}

/** Payloads of the messages among them. */
export function texts(packets: readonly Received[]): string[] {
  return packets.filter(({ type }) => type === 3).map(({ payload }) => payload.toString());
}
