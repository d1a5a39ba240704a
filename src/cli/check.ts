import { hidePassword } from '../config/faults.ts';
import { loadWithOrigins, type Sources } from '../config/load.ts';
import { valueAt } from '../config/validate.ts';

/** What `check-config` says of a valid configuration: every value that is not just the default, and who set it. */
export function describeConfig(sources: Sources): string {
  const { config, origins } = loadWithOrigins(sources);
  const lines = ['configuration is valid'];
  for (const { key, where } of origins) {
    const shown = key.leaf.secret ? '***' : hidePassword(JSON.stringify(valueAt(config, key.path)));
    lines.push(`  ${key.name} = ${shown}   (${where})`);
  }
  lines.push(origins.length === 0 ? '  every key has its default' : '  every other key has its default');
  return `${lines.join('\n')}\n`;
}
