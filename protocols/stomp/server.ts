import type { Services } from '../../src/ports/routing.ts';
import { Names } from './names.ts';
import type { StompOptions } from './options.ts';

/** What all STOMP connections of a broker share. */
export class StompServer {
  readonly services: Services;
  readonly options: StompOptions;
  readonly names: Names;

  constructor(services: Services, options: StompOptions) {
    this.services = services;
    this.options = options;
    this.names = new Names(services.limits);
  }
}
