// Runs examples: `npm run example -- NAME...`, all of them without a name. Each gets a broker of its own, on free ports, with a
// store that is thrown away afterwards. With TRIMARAN_HOST it talks to a broker that runs there, on the default ports.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBroker } from '../dist/src/broker.js';

const NOT_EXAMPLES = ['run.mjs', 'clients.mjs'];
const known = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.mjs') && !NOT_EXAMPLES.includes(name))
  .map((name) => name.slice(0, -'.mjs'.length))
  .sort();

const wanted = process.argv.slice(2);
const strange = wanted.find((name) => !known.includes(name));
if (strange !== undefined) {
  console.error(`There is no example ${strange}. There are: ${known.join(', ')}`);
  process.exit(2);
}

for (const name of wanted.length > 0 ? wanted : known) {
  console.log(`--- ${name}`);
  const { default: example } = await import(`./${name}.mjs`);
  const began = performance.now();
  await withBroker(example);
  console.log(`--- ${name}: done in ${((performance.now() - began) / 1000).toFixed(1)} s\n`);
}
// Clients that an example left open would keep the process.
process.exit(0);

/** Gives `example` the addresses of a broker: `mqtt` and `ws` as URLs. */
async function withBroker(example) {
  const host = process.env.TRIMARAN_HOST;
  if (host !== undefined) {
    await example({ mqtt: `mqtt://${host}:1883`, ws: `ws://${host}:8080` });
    return;
  }
  const directory = mkdtempSync(join(tmpdir(), 'trimaran-example-'));
  const broker = await createBroker({
    listeners: { mqtt: { port: 0 }, stomp: { enabled: false }, http: { port: 0 } },
    backbone: { embedded: { directory } },
    log: { level: 'error' },
    shutdown: { drainSeconds: 0 },
  });
  await broker.start();
  const { mqtt, http } = broker.addresses;
  try {
    await example({ mqtt: `mqtt://127.0.0.1:${mqtt.port}`, ws: `ws://127.0.0.1:${http.port}` });
  } finally {
    await broker.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
