import type { Test } from 'uvu';
import type { Address } from '../../../src/broker.ts';
import { findTool, requireTool, type ToolName } from '../../support/tools.ts';
import { type DrivenPeer, Driver } from './stomp-driver.ts';
import type { Client, StompPeer, Terms } from './stomp-peer.ts';
import type { Register } from './stomp-steps.ts';

interface Traits extends Omit<Client, 'transport' | 'connect' | 'end' | 'readsPieces'> {
  readonly tool: ToolName;
  readonly script: string;
}

/** A client in another language. One process serves all connections of a file, until one does not answer. */
export class Driven implements Client {
  readonly name: string;
  readonly versions: readonly string[];
  readonly beats: readonly string[];
  readonly nacks: readonly string[];
  readonly waits: boolean;
  readonly transport = 'stomp';
  readonly readsPieces = true;
  readonly #tool: ToolName;
  readonly #script: string;
  #driver: Driver | undefined;

  constructor({ tool, script, name, versions, beats, nacks, waits }: Traits) {
    this.name = name;
    this.versions = versions;
    this.beats = beats;
    this.nacks = nacks;
    this.waits = waits;
    this.#tool = tool;
    this.#script = script;
  }

  get driver(): Driver {
    const path = findTool(this.#tool);
    if (path === undefined) throw new Error(`${this.#tool} is missing`);
    this.#driver ??= new Driver(path, this.#script);
    return this.#driver;
  }

  connect(address: Address, terms: Terms): Promise<StompPeer> {
    return this.driver.connect(address, terms);
  }

  /** With commands that only this driver knows, and options of it. */
  drive(address: Address, version: string, options: Readonly<Record<string, unknown>> = {}): Promise<DrivenPeer> {
    return this.driver.connect(address, { version }, options);
  }

  /** After a failure the next test gets another process. */
  readonly register: Register = (test: Test, title, body) => {
    requireTool(test, this.#tool, title, async () => {
      try {
        await body();
      } catch (error) {
        await this.end();
        throw error;
      }
    });
  };

  async end(): Promise<void> {
    const driver = this.#driver;
    this.#driver = undefined;
    await driver?.end();
  }
}
