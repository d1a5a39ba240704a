import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { defaultYaml, jsonSchema } from '../../../src/config/generate.ts';
import { environmentName, keys, nearest } from '../../../src/config/keys.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { parseYaml } from '../../../src/config/yaml-file.ts';

/** What derives from the schema says what the schema says. */

const test = suite('config: generated files');
const CONFIG = join(import.meta.dirname, '../../../../config');

test('config/default.yaml and config/schema.json are what the schema generates (npm run config)', () => {
  assert.is(readFileSync(join(CONFIG, 'default.yaml'), 'utf8'), defaultYaml());
  assert.is(readFileSync(join(CONFIG, 'schema.json'), 'utf8'), jsonSchema());
});

test('config/default.yaml loads, and to exactly the defaults', () => {
  assert.equal(loadConfig({ file: join(CONFIG, 'default.yaml') }), loadConfig({}));
});

test('config/default.yaml sets every key to its default, with doc, range and variable above it', () => {
  const yaml = defaultYaml();
  const { content } = parseYaml(yaml, '');
  for (const { path, leaf, variable } of keys) {
    const value = path.reduce<unknown>((at, word) => Object(at)[word], content);
    assert.equal(value, leaf.fallback, path.join('.'));
    assert.match(yaml, `# ${leaf.doc}.\n`);
    assert.match(yaml, new RegExp(`^ *# .*${variable}\\n *${path.at(-1)}: `, 'm'));
  }
});

test('every key has a doc, a range in words and a variable of its own', () => {
  assert.ok(keys.length > 40);
  for (const { name, leaf, expected } of keys) {
    assert.ok(leaf.doc.length > 5, name);
    assert.ok(expected.length > 3, name);
    if (/(Bytes|Seconds|Milliseconds)$/.test(name)) assert.ok(leaf.unit !== undefined, `${name} needs a unit`);
  }
  assert.is(new Set(keys.map(({ variable }) => variable)).size, keys.length);
});

test('names of variables', () => {
  assert.is(environmentName(['listeners', 'mqtt', 'port']), 'TRIMARAN_LISTENERS_MQTT_PORT');
  assert.is(environmentName(['listeners', 'http', 'allowedOrigins']), 'TRIMARAN_LISTENERS_HTTP_ALLOWED_ORIGINS');
  assert.is(environmentName(['limits', 'connectionsPerAddress']), 'TRIMARAN_LIMITS_CONNECTIONS_PER_ADDRESS');
});

test('the JSON schema describes every key and refuses others', () => {
  const schema: unknown = parse(jsonSchema());
  for (const { path, leaf } of keys) {
    let node = Object(schema);
    for (const word of path) {
      assert.is(node.additionalProperties, false, path.join('.'));
      assert.is(node.required, undefined, path.join('.'));
      node = Object(node.properties)[word];
    }
    assert.ok(String(node.description).startsWith(leaf.doc), path.join('.'));
    assert.equal(node.default, leaf.fallback);
  }
});

test('the nearest name: few changes, in any case of letters, and nothing far-fetched', () => {
  const names = ['listeners', 'limits', 'log'];
  assert.is(nearest('listners', names), 'listeners');
  assert.is(nearest('LIMIT', names), 'limits');
  assert.is(nearest('lgo', names), 'log');
  assert.is(nearest('abc', names), undefined);
  assert.is(nearest('', names), undefined);
  assert.is(nearest('x'.repeat(100_000), names), undefined);
});

test.run();
