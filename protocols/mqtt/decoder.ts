import { BrokerError } from '../../src/core/errors.ts';
import type { NameCache } from '../../src/core/topic.ts';
import { beginsVersion5, parseConnect, parseVersion } from './connect.ts';
import { type PacketHandler, type PacketProperties, type PublishPacket, TYPE, type Version } from './packets.ts';
import {
  parseAuth,
  parseDisconnect,
  parseSubscribe,
  parseUnsubscribe,
  requireFlags,
  requirePacketId,
  requireReason,
} from './parse.ts';
import { append, type PartialPacket, packetBytes, partialPacket } from './partial-packet.ts';
import { type PropertyLimits, readProperties } from './properties.ts';
import { decodeText, Reader } from './reader.ts';

export interface DecoderLimits extends PropertyLimits {
  readonly loginPacketBytes: number;
  readonly packetBytes: number;
  readonly clientIdBytes: number;
}

/** First byte of CONNECT. */
const CONNECT = TYPE.connect << 4;

/** Shared by all decoders: a packet is parsed in one go, so that no two are at work at once. */
const reader = new Reader();
const publish: PublishPacket = {
  topic: '',
  qos: 0,
  retain: false,
  dup: false,
  packetId: 0,
  data: Buffer.alloc(0),
  start: 0,
  end: 0,
  properties: undefined,
};

/**
 * Cuts a byte stream into MQTT control packets and hands each to the handler: all packets of a chunk in one loop, the
 * payloads left where they are. After `stop`, or once a packet was refused, not another byte is looked at.
 */
export class Decoder {
  /** Known from CONNECT on; it decides whether packets have properties. */
  version: Version = 4;
  readonly #handler: PacketHandler;
  readonly #limits: DecoderLimits;
  readonly #topics: NameCache;
  #maxBytes: number;
  #admitted = false;
  /** Between CONNECT and CONNACK, while the client proves who it is. */
  #exchanging = false;
  #partial: PartialPacket | undefined;
  #stopped = false;
  /** Packets since `taken` was asked. */
  #packets = 0;
  /** Bytes that came while it was held, in order. */
  #held: Buffer[] | undefined;

  constructor(handler: PacketHandler, limits: DecoderLimits, topics: NameCache) {
    this.#handler = handler;
    this.#limits = limits;
    this.#topics = topics;
    this.#maxBytes = limits.loginPacketBytes;
  }

  /** The client is known: packets may be larger. */
  admit(): void {
    this.#admitted = true;
    this.#maxBytes = this.#limits.packetBytes;
  }

  /** An exchange of AUTH begins: before `admit`, nothing but that and DISCONNECT may come. */
  exchange(): void {
    this.#exchanging = true;
  }

  stop(): void {
    this.#stopped = true;
    this.#partial = undefined;
    this.#held = undefined;
  }

  /** How many whole packets there were since this was last asked, those that were refused included. */
  taken(): number {
    const packets = this.#packets;
    this.#packets = 0;
    return packets;
  }

  /** After the packet at hand no further one is looked at until `proceed`. */
  hold(): void {
    this.#held ??= [];
  }

  get holding(): boolean {
    return this.#held !== undefined;
  }

  /** Takes up what came meanwhile; throws as `push` does. */
  proceed(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const chunk of held) this.push(chunk);
  }

  /** Throws a BrokerError for bytes that are no packet, after which the decoder is stopped. */
  push(chunk: Buffer): void {
    if (this.#held !== undefined) {
      this.#held.push(Buffer.from(chunk));
      return;
    }
    try {
      let at = this.#partial === undefined ? 0 : this.#continue(this.#partial, chunk);
      while (!this.#stopped && at < chunk.length) {
        if (this.#held !== undefined) {
          this.#hold(chunk.subarray(at));
          break;
        }
        const next = this.#next(chunk, at);
        if (next === at) {
          this.#keep(chunk, at);
          break;
        }
        at = next;
      }
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  #hold(rest: Buffer): void {
    this.#held?.push(Buffer.from(rest));
  }

  /** Parses the packet at `at` if it is there in full; returns the offset behind it, or `at` when it is not. */
  #next(chunk: Buffer, at: number): number {
    // Seen at the first byte: nobody waits for the rest of what is no CONNECT.
    if (!this.#admitted) this.#requireLogin(chunk[at] ?? 0);
    let body = at + 1;
    let length = chunk[body++];
    if (length === undefined) return at;
    if (length > 0x7f) {
      length &= 0x7f;
      for (let shift = 7; ; shift += 7) {
        const byte = chunk[body++];
        if (byte === undefined) return at;
        if (shift === 21 && byte > 0x7f)
          throw new BrokerError('malformed', 'the remaining length has more than four bytes');
        length |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
          if (byte === 0)
            throw new BrokerError('malformed', 'the remaining length is longer than it must be [MQTT-1.5.5-1]');
          break;
        }
      }
    }
    const end = body + length;
    if (end - at > this.#maxBytes) {
      if (!this.#admitted && beginsVersion5(chunk, body)) this.version = 5;
      this.#tooLarge(end - at);
    }
    if (end > chunk.length) return at;
    this.#packet(chunk, at, body, end);
    return end;
  }

  #requireLogin(first: number): void {
    if (this.#exchanging) {
      if (first >> 4 === TYPE.auth || first >> 4 === TYPE.disconnect) return;
      throw new BrokerError('protocol', 'a packet other than AUTH and DISCONNECT before CONNACK [MQTT-3.1.2-30]');
    }
    if (first !== CONNECT) throw new BrokerError('protocol', 'a packet before CONNECT [MQTT-3.1.0-1]');
  }

  #tooLarge(bytes: number): never {
    const key = this.#maxBytes === this.#limits.packetBytes ? 'packetBytes' : 'loginPacketBytes';
    throw new BrokerError(
      'tooLarge',
      `a packet of ${bytes} bytes; at most ${this.#maxBytes} are taken (limits.${key})`,
    );
  }

  #packet(buffer: Buffer, at: number, body: number, end: number): void {
    const first = buffer[at] ?? 0;
    this.#packets++;
    const type = first >> 4;
    const flags = first & 0x0f;
    reader.open(buffer, body, end);
    if (type === TYPE.publish) {
      this.#publish(buffer, flags);
      return;
    }
    requireFlags(type, flags, this.version);
    const handler = this.#handler;
    switch (type) {
      case TYPE.connect: {
        if (this.#admitted) throw new BrokerError('protocol', 'a second CONNECT [MQTT-3.1.0-2]');
        this.version = parseVersion(reader);
        handler.connect(parseConnect(reader, this.version, this.#limits));
        return;
      }
      case TYPE.puback:
      case TYPE.pubrec:
      case TYPE.pubrel:
      case TYPE.pubcomp:
        this.#acknowledgement(type);
        return;
      case TYPE.subscribe:
        handler.subscribe(parseSubscribe(reader, this.version, this.#limits));
        return;
      case TYPE.unsubscribe:
        handler.unsubscribe(parseUnsubscribe(reader, this.version, this.#limits));
        return;
      case TYPE.pingreq:
        if (reader.left > 0) throw new BrokerError('malformed', 'PINGREQ has content');
        handler.pingreq();
        return;
      case TYPE.disconnect: {
        const { reason, properties } = parseDisconnect(reader, this.version, this.#limits);
        handler.disconnect(reason, properties);
        return;
      }
      case TYPE.auth:
        if (this.version < 5) throw new BrokerError('malformed', 'packet type 15 is reserved before MQTT 5');
        handler.auth(parseAuth(reader, this.#limits));
        return;
      default:
        throw new BrokerError(
          type === 0 ? 'malformed' : 'protocol',
          `packet type ${type} is not one that clients send`,
        );
    }
  }

  #publish(buffer: Buffer, flags: number): void {
    const qos = (flags >> 1) & 3;
    if (qos === 3) throw new BrokerError('malformed', 'PUBLISH with QoS 3 [MQTT-3.3.1-4]');
    const dup = (flags & 8) !== 0;
    if (dup && qos === 0 && this.version > 3)
      throw new BrokerError('malformed', 'PUBLISH with DUP at QoS 0 [MQTT-3.3.1-2]');
    const length = reader.uint16();
    const from = reader.at;
    const to = from + length;
    if (to > reader.end) throw new BrokerError('malformed', 'the topic reaches beyond the packet');
    publish.topic = length === 0 ? '' : this.#topic(buffer, from, to);
    reader.at = to;
    publish.packetId = 0;
    if (qos > 0) publish.packetId = requirePacketId(reader);
    publish.properties = this.version === 5 ? readProperties(reader, TYPE.publish, this.#limits) : undefined;
    publish.qos = qos === 0 ? 0 : qos === 1 ? 1 : 2;
    publish.retain = (flags & 1) !== 0;
    publish.dup = dup;
    publish.data = buffer;
    publish.start = reader.at;
    publish.end = reader.end;
    if (publish.properties?.subscriptionIdentifiers !== undefined) {
      throw new BrokerError('protocol', 'PUBLISH from a client with a Subscription Identifier [MQTT-3.3.4-6]');
    }
    this.#handler.publish(publish);
  }

  #topic(buffer: Buffer, from: number, to: number): string {
    const topic = this.#topics.get(buffer, from, to);
    if (topic !== undefined) return topic;
    const code = decodeText(buffer, from, to) === undefined ? 'malformed' : 'topicInvalid';
    throw new BrokerError(code, 'the topic name is not valid [MQTT-1.5.4-1] [MQTT-3.3.2-2]');
  }

  #acknowledgement(type: 4 | 5 | 6 | 7): void {
    const packetId = requirePacketId(reader);
    let reason = 0;
    let properties: PacketProperties | undefined;
    if (this.version === 5) {
      if (reader.left > 0) reason = requireReason(reader, type);
      if (reader.left > 0) properties = readProperties(reader, type, this.#limits);
    }
    if (reader.left > 0) throw new BrokerError('malformed', 'an acknowledgement with more content than it has');
    const handler = this.#handler;
    if (type === TYPE.puback) handler.puback(packetId, reason, properties?.user);
    else if (type === TYPE.pubrec) handler.pubrec(packetId, reason, properties?.user);
    else if (type === TYPE.pubrel) handler.pubrel(packetId);
    else handler.pubcomp(packetId);
  }

  // --- packets over several chunks ----------------------------------------------------------------------------------

  #keep(chunk: Buffer, at: number): void {
    this.#partial = partialPacket(chunk, at);
  }

  /** Adds to a partial packet until it is complete; returns how much of the chunk that took. Linear in all that arrives. */
  #continue(partial: PartialPacket, chunk: Buffer): number {
    let at = 0;
    while (partial.total === 0 && at < chunk.length) {
      append(partial, chunk, at, at + 1);
      at++;
      partial.total = packetBytes(partial);
    }
    if (partial.total === 0) return at;
    if (partial.total > this.#maxBytes) this.#tooLarge(partial.total);
    const end = Math.min(chunk.length, at + partial.total - partial.length);
    append(partial, chunk, at, end);
    if (partial.length === partial.total) {
      this.#partial = undefined;
      this.#next(partial.buffer.subarray(0, partial.length), 0);
    }
    return end;
  }
}
