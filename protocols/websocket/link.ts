import type { Principal } from '../../src/ports/authorizer.ts';
import type { Services } from '../../src/ports/routing.ts';
import type { Connection } from '../../src/ports/transport.ts';
import type { Answers } from './answers.ts';
import type { MessageEncoder } from './encoder.ts';

/** A client past its hello: who it is, and the way to it. */
export interface Link {
  readonly services: Services;
  readonly connection: Connection;
  readonly encoder: MessageEncoder;
  readonly answers: Answers;
  readonly clientId: string;
  readonly principal: Principal;
}
