import { readFileSync } from 'node:fs';

/** From package.json, which stands above both src and dist/src. */
export function version(): string {
  for (const up of ['../../', '../']) {
    try {
      const found: unknown = JSON.parse(readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8'));
      if (typeof found === 'object' && found !== null && 'version' in found) return String(found.version);
    } catch {}
  }
  return 'unknown';
}
