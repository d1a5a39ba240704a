import { headers } from 'nats';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import { messageOf, type NatsNode, textOf } from '../../support/nats-node.ts';
import { pairs } from './support/scene.ts';

/** Questions and answers between clients of two nodes and applications of NATS. */

const test = suite('jetstream requests');
const it = pairs(test, 'r');

const ANSWERS = '$reply/xyz/1';
const question = (topic: string, responseTopic = ANSWERS): ReturnType<typeof messageOf> =>
  messageOf(topic, 'how?', 0, { responseTopic, correlation: Buffer.from('c1') });

/** What a node wants has reached the server. */
async function wanted(node: NatsNode, ...filters: string[]): Promise<void> {
  for (const filter of filters) node.backbone.live.interest(filter, true);
  await node.backbone.state.put('wills', 'fence', Buffer.alloc(0));
}

it('a question that nobody gets is said to be unheard, by its topic for answers', async ({ a, b }) => {
  await wanted(a, ANSWERS, 'nobody/#');
  a.backbone.live.publish(question('nobody/there'), []);
  await eventually('it is said', () => a.unheardOf.length > 0);
  assert.equal(a.unheardOf, [ANSWERS]);
  assert.equal(a.lived, [], 'that is no message');
  assert.equal(b.unheardOf, []);
});

it('a question reaches another node, and its answer the node that asked', async ({ a, b }) => {
  await wanted(a, ANSWERS, 'asked/#');
  await wanted(b, 'asked/+');
  a.backbone.live.publish(question('asked/it'), []);
  await eventually('the question', () => b.lived.length > 0);
  assert.is(b.lived[0]?.properties?.responseTopic, ANSWERS);
  b.backbone.live.publish(messageOf(ANSWERS, 'so', 0), []);
  await eventually('the answer', () => a.lived.length > 0);
  assert.equal([a.lived[0]?.topic, a.lived.map(textOf)], [ANSWERS, ['so']]);
  assert.equal(a.unheardOf, []);
});

it('an application of NATS responds to a client', async ({ a, app, prefix }) => {
  await wanted(a, ANSWERS);
  app.subscribe(`${prefix}.live.asked.it`, {
    callback: (_, message) => {
      const block = headers();
      block.set('Trimaran-Correlation', message.headers?.get('Trimaran-Correlation') ?? '');
      message.respond(Buffer.from(`${message.string()} so`), { headers: block });
    },
  });
  await app.flush();
  a.backbone.live.publish(question('asked/it'), []);
  await eventually('the answer', () => a.lived.length > 0);
  assert.equal([a.lived[0]?.topic, a.lived.map(textOf)], [ANSWERS, ['how? so']]);
  assert.is(Buffer.from(a.lived[0]?.properties?.correlation ?? []).toString(), 'c1');
  assert.equal(a.unheardOf, []);
});

it('a request of an application comes with a topic for its answer, which is its inbox', async ({ b, app, prefix }) => {
  await wanted(b, 'asked/it');
  const asked = app.request(`${prefix}.live.asked.it`, 'how?', { timeout: 5000 });
  await eventually('the question', () => b.lived.length > 0);
  const responseTopic = b.lived[0]?.properties?.responseTopic ?? '';
  assert.match(responseTopic, /^\$reply\/nats\/_INBOX\./);
  assert.is(b.lived[0]?.publisher.protocol, 'native');
  for (const qos of [1, 0] as const) b.backbone.live.publish(messageOf(responseTopic, `so ${qos}`, qos), []);
  assert.is((await asked).string(), 'so 1');
});

it('nothing but an inbox can be reached by a topic for answers', async ({ a, app, prefix }) => {
  const heard: string[] = [];
  app.subscribe('>', { callback: (_, { subject }) => heard.push(subject) });
  await app.flush();
  const subjects = [
    '$JS.API.STREAM.DELETE.X',
    '$SYS.REQ.SERVER.PING',
    `${prefix}.log.x`,
    `${prefix}.state.nodes.x`,
    'orders',
    '_INBOX',
    '_INBOX.a b',
    '_INBOX.>',
    '_INBOX..a',
    `_INBOX.${'x'.repeat(300)}`,
    '_INBOX.a\r\nPUB x 0\r\n',
  ];
  for (const subject of subjects) {
    assert.not(a.backbone.live.publish(messageOf(`$reply/nats/${subject}`, 'no', 1), []), subject);
  }
  assert.ok(a.backbone.live.publish(messageOf('$reply/nats/_INBOX.a.b', 'yes', 1), []));
  await eventually('the inbox', () => heard.includes('_INBOX.a.b'));
  const others = heard.filter((subject) => !subject.startsWith('$JS.') && !subject.startsWith(`${prefix}.state.`));
  assert.equal(
    others.filter((subject) => !subject.startsWith('_INBOX.') || subject.length > 100),
    [],
  );
});

it('reply subjects of applications that are no inboxes are no topics', async ({ b, app, prefix }) => {
  await wanted(b, 'asked/it', 'answers');
  app.publish(`${prefix}.live.asked.it`, '1', { reply: '$JS.API.STREAM.PURGE.X' });
  app.publish(`${prefix}.live.asked.it`, '2', { reply: `${prefix}.live.answers` });
  app.publish(`${prefix}.live.asked.it`, '3', { reply: `${prefix}.state.x` });
  await eventually('three', () => b.lived.length === 3);
  assert.equal(
    b.lived.map(({ properties }) => properties?.responseTopic),
    [undefined, 'answers', undefined],
  );
});

test.run();
