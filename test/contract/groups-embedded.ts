import { EmbeddedBackbone } from '../../adapters/embedded/index.ts';
import { SystemClock } from '../../src/system-clock.ts';
import { embeddedOptions, newDirectory } from '../spec/embedded/support/opened.ts';
import { SILENT } from '../support/jetstream.ts';
import { groupsContract } from './groups.ts';

let directory: string;

const open = (): EmbeddedBackbone => new EmbeddedBackbone(embeddedOptions(directory), new SystemClock(), SILENT);

groupsContract({
  name: 'embedded',
  create() {
    directory = newDirectory();
    return open();
  },
  reopen: open,
});
