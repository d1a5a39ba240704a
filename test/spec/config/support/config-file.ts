import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'uvu';
import { ConfigError, loadConfig, type Sources } from '../../../../src/config/load.ts';

/** A configuration file in a folder of its own, for the tests of a suite. */
export class ConfigFile {
  readonly folder = mkdtempSync(join(tmpdir(), 'trimaran-config-'));
  readonly path = join(this.folder, 'trimaran.yaml');

  constructor(test: Test) {
    test.after(() => rmSync(this.folder, { recursive: true }));
  }

  /** What to load it by. */
  write(yaml: string | Uint8Array): { readonly file: string } {
    writeFileSync(this.path, yaml);
    return { file: this.path };
  }

  /** Fault lines, with the file's name shortened to `file`. */
  faultsOf(sources: Sources): string[] {
    try {
      loadConfig(sources);
      return [];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return error.faults.map(({ where, key, message }) =>
        [where.replace(this.path, 'file'), key, message].filter((part) => part !== '').join(': '),
      );
    }
  }

  faultsIn(yaml: string | Uint8Array): string[] {
    return this.faultsOf(this.write(yaml));
  }
}
