// The compiler takes along TypeScript only; the pages are plain files that src/http/pages.ts looks for beside itself.
// Usage: node scripts/copy-pages.mjs [OUTPUT FOLDER, default dist]
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const target = join(process.argv[2] ?? join(root, 'dist'), 'src/http/pages');
rmSync(target, { recursive: true, force: true });
cpSync(join(root, 'src/http/pages'), target, { recursive: true });
