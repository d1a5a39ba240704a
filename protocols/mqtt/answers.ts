import type { BrokerError } from '../../src/core/errors.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { connackBytes, type Property, reasonString, writeConnack, writeDisconnect } from './encoder.ts';
import { NO_MAXIMUM } from './link.ts';
import type { PacketProperties, Version } from './packets.ts';
import { CONNACK_V3, reasonIn } from './reasons.ts';
import type { Served } from './served.ts';
import { variableBytes } from './variable.ts';

/** What a client says in CONNECT about answers to it. */
export interface AnswerTerms {
  /** It wants to know what is wrong, in words (3.1.2.11.7). */
  readonly problemInformation: boolean;
  /** Bytes; `NO_MAXIMUM` where it names none. */
  readonly maximumPacketSize: number;
}

/** Of a client that says nothing about them: of all before MQTT 5. */
const USUAL: AnswerTerms = { problemInformation: true, maximumPacketSize: NO_MAXIMUM };

export function answerTerms(asked: PacketProperties | undefined): AnswerTerms {
  if (asked === undefined) return USUAL;
  return {
    problemInformation: asked.requestProblemInformation !== 0,
    maximumPacketSize: asked.maximumPacketSize ?? NO_MAXIMUM,
  };
}

/** Bytes of an answer beside its reason string, and the codes in it. */
const ANSWER_BYTES = 16;

/**
 * A Reason String, for clients that want problem information [MQTT-3.1.2-29] and take packets that large [MQTT-3.2.2-19]
 * [MQTT-3.14.2-3]. `codes`: how many reason codes stand beside it.
 */
export function explain(version: Version, terms: AnswerTerms | undefined, text: string, codes = 1): Property[] {
  if (version < 5 || terms?.problemInformation === false) return [];
  const property = reasonString(text);
  const bytes = Buffer.byteLength(text) + ANSWER_BYTES + codes;
  return terms !== undefined && bytes > terms.maximumPacketSize ? [] : [property];
}

/** Whether a client takes an answer with so many codes and nothing else [MQTT-3.1.2-24]; if not, that is counted. */
export function fits({ login, services, version }: Served, codes: number): boolean {
  if (version < 5 || login.maximumPacketSize === NO_MAXIMUM) return true;
  const content = 3 + codes;
  if (1 + variableBytes(content) + content <= login.maximumPacketSize) return true;
  services.counters.droppedTooLarge++;
  return false;
}

/** CONNACK that refuses; nothing where the version has no code for that, or the client no room. */
export function writeRefusal(
  connection: Connection,
  version: Version,
  terms: AnswerTerms | undefined,
  { code, message }: BrokerError,
): void {
  if (version === 5) {
    // [MQTT-3.1.2-24]: there are clients that take not even that.
    if (terms !== undefined && terms.maximumPacketSize < connackBytes([])) return;
    writeConnack(connection, 5, false, reasonIn('connack', code), explain(5, terms, message));
    return;
  }
  const returnCode = CONNACK_V3[code];
  if (returnCode !== undefined) writeConnack(connection, 4, false, returnCode);
}

/** DISCONNECT from the server, which only MQTT 5 has. */
export function writeFarewell(
  connection: Connection,
  version: Version,
  terms: AnswerTerms | undefined,
  { code, message }: BrokerError,
): void {
  if (version === 5) writeDisconnect(connection, reasonIn('disconnect', code), explain(5, terms, message));
}
