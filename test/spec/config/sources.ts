import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConfigError, loadConfig, loadWithOrigins, resolveConfig, type Sources } from '../../../src/config/load.ts';
import { ConfigFile } from './support/config-file.ts';

/** The order of precedence, and what each source's text becomes. */

const test = suite('config: sources');
const configFile = new ConfigFile(test);

function withFile(yaml: string, sources: Sources = {}): Sources {
  return { ...configFile.write(yaml), ...sources };
}

test('without any source every key has its default', () => {
  const config = loadConfig({});
  assert.equal(config.listeners.mqtt, { enabled: true, host: '127.0.0.1', port: 1883 });
  assert.equal(config.listeners.stomp, { enabled: true, host: '127.0.0.1', port: 61613 });
  assert.equal(config.listeners.http, { enabled: true, host: '127.0.0.1', port: 8080, allowedOrigins: [] });
  assert.is(config.backbone.type, 'embedded');
  assert.is(config.backbone.embedded.directory, './data');
  const { servers, prefix, replicas } = config.backbone.nats;
  assert.equal([servers, prefix, replicas], [['nats://127.0.0.1:4222'], 'trimaran', 1]);
  assert.is(config.limits.packetBytes, 1_048_576);
  assert.is(config.limits.sessionExpirySeconds, 604_800);
  assert.equal(config.log, { level: 'info', format: 'auto' });
  assert.is(config.shutdown.drainSeconds, 10);
});

test('defaults < file < environment < --set, and a later --set wins', () => {
  const yaml = 'limits: {queues: 1, transactions: 1, userProperties: 1, topicAliases: 1}';
  const env = { TRIMARAN_LIMITS_TRANSACTIONS: '2', TRIMARAN_LIMITS_USER_PROPERTIES: '2' };
  const set = ['limits.userProperties=3', 'limits.topicAliases=3', 'limits.topicAliases=4'];
  const { config, origins } = loadWithOrigins(withFile(yaml, { env, set }));
  const { queues, transactions, userProperties, topicAliases, stompPrefetch } = config.limits;
  assert.equal([queues, transactions, userProperties, topicAliases, stompPrefetch], [1, 2, 3, 4, 100]);
  assert.equal(
    origins.map(({ key, where }) => [key.name, where]),
    [
      ['limits.userProperties', '--set'],
      ['limits.topicAliases', '--set'],
      ['limits.queues', `${configFile.path}:1:18`],
      ['limits.transactions', 'TRIMARAN_LIMITS_TRANSACTIONS'],
    ],
  );
});

test('the parts of one section may come from several sources; lists are replaced, not joined', () => {
  const yaml = 'listeners: {http: {host: 127.0.0.2, allowedOrigins: ["https://a.example", "https://b.example"]}}';
  const set = ['listeners.http={port: 0}', 'listeners.http.allowedOrigins=https://c.example'];
  const { http } = loadConfig(withFile(yaml, { set })).listeners;
  assert.equal(http, { enabled: true, host: '127.0.0.2', port: 0, allowedOrigins: ['https://c.example'] });
});

test('texts need no YAML quotes in --set and in the environment', () => {
  const table: [string, (config: ReturnType<typeof loadConfig>) => unknown, unknown][] = [
    ['listeners.mqtt.host=::1', (c) => c.listeners.mqtt.host, '::1'],
    ['listeners.mqtt.host="::1"', (c) => c.listeners.mqtt.host, '::1'],
    ['listeners.mqtt.port= 0 ', (c) => c.listeners.mqtt.port, 0],
    ['listeners.mqtt.enabled=false', (c) => c.listeners.mqtt.enabled, false],
    ['listeners.http.allowedOrigins=*', (c) => c.listeners.http.allowedOrigins, ['*']],
    ['listeners.http.allowedOrigins=', (c) => c.listeners.http.allowedOrigins, []],
    ['listeners.http.allowedOrigins=["*"]', (c) => c.listeners.http.allowedOrigins, ['*']],
    ['backbone.embedded.directory=12', (c) => c.backbone.embedded.directory, '12'],
    ['backbone.embedded.directory=a=b: #c', (c) => c.backbone.embedded.directory, 'a=b: #c'],
    ['backbone.nats.servers=a, tls://b:1', (c) => c.backbone.nats.servers, ['a', 'tls://b:1']],
    ['backbone.nats.servers=[a, "[::1]:4222"]', (c) => c.backbone.nats.servers, ['a', '[::1]:4222']],
    ['backbone.type=memory', (c) => c.backbone.type, 'memory'],
  ];
  for (const [assignment, read, wanted] of table) {
    assert.equal(read(loadConfig({ set: [assignment] })), wanted, assignment);
    const [key = '', ...rest] = assignment.split('=');
    const variable = `TRIMARAN_${key.replace(/[A-Z]/g, '_$&').replaceAll('.', '_').toUpperCase()}`;
    assert.equal(read(loadConfig({ env: { [variable]: rest.join('=') } })), wanted, variable);
  }
});

test('servers in the file are a list or one text with commas', () => {
  const both = ['backbone: {nats: {servers: [a, b]}}', 'backbone: {nats: {servers: "a,b"}}'];
  for (const yaml of both) assert.equal(loadConfig(withFile(yaml)).backbone.nats.servers, ['a', 'b']);
});

test('an empty file, and sections with all their keys commented out, set nothing', () => {
  for (const yaml of ['', '# nothing\n', 'limits:\n  # queues: 5\n', 'listeners:\n  mqtt:\n', '---\n...\n']) {
    assert.equal(loadConfig(withFile(yaml)), loadConfig({}), yaml);
  }
});

test('variables of other programs, and those Kubernetes makes for a service named trimaran, are not looked at', () => {
  const env = {
    PATH: '/bin',
    TRIMARANS: 'x',
    TRIMARAN_PORT: 'tcp://10.0.0.1:1883',
    TRIMARAN_PORT_1883_TCP: 'tcp://10.0.0.1:1883',
    TRIMARAN_PORT_1883_TCP_ADDR: '10.0.0.1',
    TRIMARAN_SERVICE_HOST: '10.0.0.1',
    TRIMARAN_MQTT_SERVICE_PORT_MAIN: '1883',
  };
  assert.equal(loadConfig({ env }), loadConfig({}));
});

test('a configuration is frozen through and through, and two share nothing', () => {
  const config = resolveConfig();
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
  assert.ok(frozen(config));
  assert.is.not(config.backbone.nats.servers, resolveConfig().backbone.nats.servers);
});

test('resolveConfig: any part; undefined is not set; what it is given stays as it was; a result goes in again', () => {
  const servers = ['nats://10.0.0.1'];
  const config = resolveConfig({ listeners: { mqtt: { port: 0, host: undefined } }, backbone: { nats: { servers } } });
  assert.equal(config.listeners.mqtt, { enabled: true, host: '127.0.0.1', port: 0 });
  servers.push('nats://10.0.0.2');
  assert.equal(config.backbone.nats.servers, ['nats://10.0.0.1']);
  assert.equal(resolveConfig(config), config);
});

test('resolveConfig throws a ConfigError that lists all faults', () => {
  try {
    resolveConfig({ listeners: { mqtt: { port: -1 }, stomp: { host: 'a b' } } });
  } catch (error) {
    assert.instance(error, ConfigError);
    if (!(error instanceof ConfigError)) return;
    assert.equal(
      error.faults.map(({ where, key }) => [where, key]),
      [
        ['options', 'listeners.mqtt.port'],
        ['options', 'listeners.stomp.host'],
      ],
    );
    assert.match(error.message, 'options: listeners.mqtt.port: found -1, expected a whole number from 0 to 65535');
    return;
  }
  assert.unreachable();
});

test.run();
