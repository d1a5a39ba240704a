import { copyBytes, textBytes, writeText } from '../../src/core/bytes.ts';
import type { BrokerError } from '../../src/core/errors.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { adviceOf, titleOfError } from './refusal.ts';
import { VERSION, VERSION_NAMES, type Version } from './version.ts';

/**
 * The frames of the server except MESSAGE. Each is one WebSocket message, of text, and ends with a null byte and a line end
 * (STOMP 1.2, STOMP Frames: EOLs may follow): PHP's extension takes the byte behind a frame for that line end, and would lose
 * the first of the next frame.
 */

const RECEIPT_START = Buffer.from('RECEIPT\nreceipt-id:');
const RECEIPT_END = Buffer.from('\n\n\0\n');
const DUPLICATE_END = Buffer.from('\nduplicate:true\n\n\0\n');
/** Characters. */
const SHORT = 64;

export interface Terms {
  readonly version: Version;
  readonly session: string;
  /** Milliseconds between heart-beats that the server can send, and would like to get. */
  readonly heartBeat: number;
  readonly requestId: string | undefined;
}

/** CONNECTED; its headers are not escaped (STOMP 1.2, Value Encoding). */
export function writeConnected(connection: Connection, { version, session, heartBeat, requestId }: Terms): void {
  // 1.0 has no heart-beats.
  const beat = version === VERSION.v10 ? '' : `heart-beat:${heartBeat},${heartBeat}\n`;
  // ActiveMQ's own clients wait for it.
  const response = requestId === undefined ? '' : `response-id:${requestId}\n`;
  const terms = `version:${VERSION_NAMES[version]}\n${beat}session:${session}\n${response}`;
  writeFrame(connection, `CONNECTED\n${terms}server:trimaran\n\n\0\n`);
}

/**
 * `receipt` is the header as the client wrote it, a character per byte: escaped, if it was. `duplicate`: what was sent had
 * been stored before.
 */
export function writeReceipt(connection: Connection, receipt: string, duplicate = false): void {
  const end = duplicate ? DUPLICATE_END : RECEIPT_END;
  const { length } = receipt;
  const total = RECEIPT_START.length + length + end.length;
  connection.begin(total, true);
  const start = connection.reserve(total);
  const { buffer } = connection;
  const at = copyBytes(buffer, start, RECEIPT_START, 0, RECEIPT_START.length);
  // Receipts are numbers and short names: a loop beats a call into C++, and no string is put together.
  if (length <= SHORT) for (let i = 0; i < length; i++) buffer[at + i] = receipt.charCodeAt(i);
  else buffer.write(receipt, at, 'latin1');
  copyBytes(buffer, at + length, end, 0, end.length);
}

/** ERROR: what is wrong in a header for programs, and in full in the body for those who read it. */
export function writeError(connection: Connection, error: BrokerError, receipt: string | undefined): void {
  const advice = adviceOf(error);
  // No full stop behind a number: it would look like part of it.
  const body = `${error.message}${/[.!?\d]$/.test(error.message) ? '' : '.'}\n${advice === '' ? '' : `${advice}\n`}`;
  const versions = error.code === 'unsupportedVersion' ? `version:${VERSION_NAMES.join(',')}\n` : '';
  // The receipt's characters are bytes of UTF-8.
  const receiptId = receipt === undefined ? '' : `receipt-id:${Buffer.from(receipt, 'latin1').toString('utf8')}\n`;
  const head = `ERROR\nmessage:${titleOfError(error)}\n${receiptId}${versions}content-type:text/plain\n`;
  writeFrame(connection, `${head}content-length:${Buffer.byteLength(body)}\n\n${body}\0\n`);
}

export function writeHeartBeat(connection: Connection): void {
  connection.begin(1, true);
  const at = connection.reserve(1);
  connection.buffer[at] = 10;
}

function writeFrame(connection: Connection, text: string): void {
  const bytes = textBytes(text);
  connection.begin(bytes, true);
  const at = connection.reserve(bytes);
  writeText(connection.buffer, at, text, bytes);
}
