import { copyOf } from './bytes.ts';

/**
 * The one message model. Every protocol converts to and from it in its own `mapping.ts`; nothing else knows two
 * protocols.
 */

/** 0: live, at most once; 1: logged, at least once; 2: logged, exactly once. */
export type Qos = 0 | 1 | 2;

/** The protocol a message came by. `native` is a client of the backbone itself, or the broker. */
export type ProtocolName = 'mqtt' | 'stomp' | 'websocket' | 'native';

export interface Publisher {
  readonly clientId: string;
  readonly protocol: ProtocolName;
}

/** A user header: its name and its value. Both may be empty; a name may repeat; order is kept. */
export type UserProperty = readonly [name: string, value: string];

/** What a message may carry beside topic and payload. Absent as a whole when there is none of it (the usual case). */
export interface Properties {
  readonly contentType?: string;
  /** The publisher vouches for a payload of valid UTF-8, or says that it does not (MQTT 5 Payload Format Indicator 1, 0). */
  readonly textPayload?: boolean;
  /** A topic name in MQTT form, where an answer is wanted. */
  readonly responseTopic?: string;
  readonly correlation?: Uint8Array;
  /** Milliseconds since 1970, after which the message is no longer to be delivered. */
  readonly expiresAt?: number;
  readonly user?: readonly UserProperty[];
  /** Ordering key of queues and groups. */
  readonly key?: string;
  /** The publisher's own id of the message, by which a repetition is recognised. */
  readonly messageId?: string;
  /** In queues: 0 (also where it is absent) to 9, the highest first. */
  readonly priority?: number;
  /** In queues: milliseconds since 1970, before which the message is not delivered. */
  readonly deliverAt?: number;
}

/**
 * One wire format's encoding of a message, kept while the message is fanned out: `bytes[start, end)`.
 * `patch` is the offset of a packet id within it (relative to `start`), or -1.
 */
export interface Wire {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly patch: number;
  /** Offset of the Message Expiry Interval, which counts down while a message waits; undefined where there is none. */
  readonly expiry?: number;
}

/** Of a message without anything, bytes. */
const OVERHEAD = 256;

/** Texts are counted by their length: nearly all are ASCII. */
function weightOf({ contentType, responseTopic, correlation, user, key, messageId }: Properties): number {
  let weight = (contentType?.length ?? 0) + (responseTopic?.length ?? 0) + (correlation?.length ?? 0);
  weight += (key?.length ?? 0) + (messageId?.length ?? 0);
  if (user !== undefined) for (const [name, value] of user) weight += 64 + name.length + value.length;
  return weight;
}

export class Message {
  /** MQTT form: levels parted by `/`; valid by `topicFault`. */
  readonly topic: string;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly properties: Properties | undefined;
  readonly publisher: Publisher;
  /** Milliseconds since 1970, when the broker took it in. */
  readonly timestamp: number;

  /**
   * The payload is `data[start, end)`. `data` is borrowed (it may be a whole chunk read from a socket) until `keep`
   * is called: whoever holds a message longer than the call that brought it, calls it.
   */
  data: Uint8Array;
  start: number;
  end: number;
  #owned: boolean;

  /** Position in the log: (shard, sequence). Sequence 0: not logged. */
  shard = 0;
  sequence = 0;

  /** Names this message for the log, which takes it in once; undefined for most, which need no such care. */
  dedupId: string | undefined = undefined;

  /**
   * How many subscribers the routing under way has for it. With one, encoding straight into the connection is
   * cheaper than keeping the encoding; with more, it is encoded once per wire format and kept in `wires`. 0 after routing:
   * no one on this node.
   */
  fanout = 1;
  wires: (Wire | undefined)[] | undefined = undefined;

  constructor(
    topic: string,
    data: Uint8Array,
    start: number,
    end: number,
    qos: Qos,
    retain: boolean,
    properties: Properties | undefined,
    publisher: Publisher,
    timestamp: number,
    owned = false,
  ) {
    this.topic = topic;
    this.data = data;
    this.start = start;
    this.end = end;
    this.qos = qos;
    this.retain = retain;
    this.properties = properties;
    this.publisher = publisher;
    this.timestamp = timestamp;
    this.#owned = owned;
  }

  /** Payload size in bytes. */
  get size(): number {
    return this.end - this.start;
  }

  /** About how much memory it takes, bytes: its properties may be much more than its payload. */
  get weight(): number {
    return OVERHEAD + this.end - this.start + (this.properties === undefined ? 0 : weightOf(this.properties));
  }

  /** A view of the payload; the bytes are not copied. */
  payload(): Uint8Array {
    return this.data.subarray(this.start, this.end);
  }

  /** Makes the payload this message's own, so that a 4-byte payload does not pin a 64 KiB chunk. */
  keep(): this {
    if (!this.#owned) {
      this.adopt(copyOf(this.data, this.start, this.end), 0, this.end - this.start);
    }
    return this;
  }

  /** Moves the payload to bytes that live as long as the message needs them. */
  adopt(data: Uint8Array, start: number, end: number): void {
    this.data = data;
    this.start = start;
    this.end = end;
    this.#owned = true;
  }

  expired(now: number): boolean {
    const expiresAt = this.properties?.expiresAt;
    return expiresAt !== undefined && expiresAt <= now;
  }

  /** The same message with other flags, sharing the payload. */
  with(qos: Qos, retain: boolean): Message {
    this.keep();
    const copy = new Message(
      this.topic,
      this.data,
      this.start,
      this.end,
      qos,
      retain,
      this.properties,
      this.publisher,
      this.timestamp,
      true,
    );
    copy.shard = this.shard;
    copy.sequence = this.sequence;
    return copy;
  }
}
