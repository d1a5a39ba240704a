import type { Services } from '../../src/ports/routing.ts';
import { Names } from './names.ts';

/** What all STOMP connections of a broker share. */
export class StompServer {
  readonly services: Services;
  readonly names: Names;

  constructor(services: Services) {
    this.services = services;
    this.names = new Names(services.limits);
  }
}
