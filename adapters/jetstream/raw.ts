import type { Msg } from 'nats';

/** A received message as bytes: what `Msg` offers decodes names and headers one by one, which is too dear per message. */
export interface Raw {
  /** Header block and payload. */
  readonly bytes: Uint8Array;
  /** Bytes of the header block: the payload begins here. */
  readonly headerBytes: number;
  /** Empty without one. */
  readonly reply: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** Relies on the fields of MsgImpl in nats 2.29.3, to which package.json pins it. */
export function raw(message: Msg): Raw {
  if ('_rdata' in message && '_msg' in message) {
    const { _rdata: bytes, _msg: fields } = message;
    if (bytes instanceof Uint8Array && typeof fields === 'object' && fields !== null && 'hdr' in fields) {
      const reply = 'reply' in fields && fields.reply instanceof Uint8Array ? fields.reply : NO_BYTES;
      return { bytes, headerBytes: typeof fields.hdr === 'number' && fields.hdr > 0 ? fields.hdr : 0, reply };
    }
  }
  throw new Error('the messages of this version of the package nats are not as expected');
}
