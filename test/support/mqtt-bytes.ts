/** Packets of clients as bytes, field by field, so that a test can have any of them wrong. */

export type Bytes = Uint8Array | readonly number[];

export function join(...parts: readonly Bytes[]): Buffer {
  return Buffer.concat(parts.map((part) => Uint8Array.from(part)));
}

export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

export const u16 = (value: number): number[] => [value >> 8, value & 0xff];
export const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value & 0xffff)];

/** Variable Byte Integer (1.5.5). */
export function vbi(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...vbi(value >>> 7)];
}

/** UTF-8 Encoded String or Binary Data (1.5.4, 1.5.6). */
export function field(content: string | Bytes): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : Uint8Array.from(content);
  return join(u16(bytes.length), bytes);
}

/** A property section with its length (2.2.2). */
export function section(...properties: readonly Bytes[]): Buffer {
  const content = join(...properties);
  return join(vbi(content.length), content);
}

export const NONE = section();

/** A packet with its fixed header; `first`: type and flags. */
export function packet(first: number, ...body: readonly Bytes[]): Buffer {
  const content = join(...body);
  return join([first], vbi(content.length), content);
}

export interface Connect {
  readonly name?: string | Bytes;
  readonly level?: number;
  readonly flags?: number;
  readonly keepAlive?: number;
  readonly properties?: Bytes;
  readonly clientId?: string | Bytes;
  /** What follows the client identifier. */
  readonly rest?: readonly Bytes[];
}

/** CONNECT; Clean Start unless `flags` say otherwise. */
export function connect(fields: Connect = {}): Buffer {
  const { name = 'MQTT', level = 5, flags = 2, keepAlive = 60, clientId = '', rest = [] } = fields;
  const properties = fields.properties ?? (level < 5 ? [] : NONE);
  return packet(0x10, field(name), [level, flags], u16(keepAlive), properties, field(clientId), ...rest);
}

export interface Publish {
  readonly qos?: 0 | 1 | 2;
  readonly dup?: boolean;
  readonly retain?: boolean;
  readonly id?: number;
  readonly properties?: Bytes;
}

export function publish(topic: string | Bytes, payload: string | Bytes, fields: Publish = {}): Buffer {
  const { qos = 0, dup = false, retain = false, id = 1, properties = NONE } = fields;
  const first = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0);
  const content = typeof payload === 'string' ? Buffer.from(payload) : payload;
  return packet(first, field(topic), qos === 0 ? [] : u16(id), properties, content);
}

/** PUBACK, PUBREC, PUBREL, PUBCOMP by type; `rest`: reason and properties. */
export function answer(type: 4 | 5 | 6 | 7, id: number, ...rest: readonly Bytes[]): Buffer {
  return packet((type << 4) | (type === 6 ? 2 : 0), u16(id), ...rest);
}

/** SUBSCRIBE; each filter with its options byte. */
export function subscribe(
  id: number,
  filters: readonly (readonly [filter: string | Bytes, options: number])[],
  properties: Bytes = NONE,
): Buffer {
  return packet(0x82, u16(id), properties, ...filters.map(([filter, options]) => join(field(filter), [options])));
}

export function unsubscribe(id: number, filters: readonly (string | Bytes)[], properties: Bytes = NONE): Buffer {
  return packet(0xa2, u16(id), properties, ...filters.map(field));
}

export const pingreq = (): Buffer => packet(0xc0);

export function disconnect(...body: readonly Bytes[]): Buffer {
  return packet(0xe0, ...body);
}

/** A will in CONNECT's payload, and the flags for it. */
export function will(topic: string | Bytes, payload: string | Bytes, properties: Bytes = NONE): readonly Bytes[] {
  return [properties, field(topic), field(payload)];
}
export const WILL_FLAG = 4;
export const WILL_RETAIN = 0x20;
export const CLEAN = 2;
