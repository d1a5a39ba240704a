import { readFileSync, writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { z } from 'zod';
import { environmentName } from './load.ts';
import { leaves, schema } from './schema.ts';

/** Writes `config/default.yaml` and `config/schema.json` from the schema: `npm run config`. */

/** The documented defaults as YAML. */
export function defaultYaml(): string {
  const lines = [
    '# Every key of the configuration with its default. Written from src/config/schema.ts by `npm run config`.',
    '# Each can also be given as --set section.key=value, or as the environment variable named beside it.',
  ];
  let open: readonly string[] = [];
  for (const { path, doc, unit, fallback, allowed } of leaves()) {
    const parents = path.slice(0, -1);
    const common = parents.findIndex((word, i) => open[i] !== word);
    for (let depth = common === -1 ? parents.length : common; depth < parents.length; depth++) {
      if (depth === 0) lines.push('');
      lines.push(`${'  '.repeat(depth)}${parents[depth]}:`);
    }
    open = parents;
    const indent = '  '.repeat(parents.length);
    const range = typeof fallback === 'number' && unit !== undefined ? `${allowed} ${unit}` : allowed;
    lines.push(`${indent}# ${doc}.`, `${indent}# ${range}; ${environmentName(path)}`);
    const setting = stringify({ [path.at(-1) ?? '']: fallback }, { collectionStyle: 'flow', lineWidth: 0 });
    lines.push(`${indent}${setting.trim().replace(/^\{ | \}$/g, '')}`);
  }
  return `${lines.join('\n')}\n`;
}

/** For editors that check YAML against a JSON schema. */
export function jsonSchema(): string {
  const document = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      // zod leaves it out where the type transforms.
      if (zodSchema instanceof z.ZodDefault) jsonSchema.default = zodSchema.parse(undefined);
      // Not words of JSON schema: editors show the description only.
      const { description, unit, allowed } = jsonSchema;
      delete jsonSchema.unit;
      delete jsonSchema.allowed;
      delete jsonSchema.secret;
      const notes = [unit, allowed].filter((note) => typeof note === 'string').map((note) => ` (${note})`);
      if (description !== undefined) jsonSchema.description = `${description}${notes.join('')}.`;
    },
  });
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

if (process.argv[1] === import.meta.filename) {
  const root = new URL('../../../config/', import.meta.url);
  for (const [name, text] of [
    ['default.yaml', defaultYaml()],
    ['schema.json', jsonSchema()],
  ] as const) {
    const file = new URL(name, root);
    let before = '';
    try {
      before = readFileSync(file, 'utf8');
    } catch {}
    if (before !== text) writeFileSync(file, text);
    console.log(`config/${name} ${before === text ? 'is up to date' : 'written'}`);
  }
}
