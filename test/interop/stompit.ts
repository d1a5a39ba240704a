import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { StompClients } from './support/stomp-clients.ts';
import { stompSteps } from './support/stomp-steps.ts';
import { stompit } from './support/stompit-peer.ts';

/** The npm package `stompit`, a STOMP client for Node, over TCP. */

stompSteps(stompit);

const test = suite('stompit, its own ways');
const clients = new StompClients(test);

test('the highest version, where it offers all', async () => {
  assert.is((await clients.stompit()).client.headers.version, '1.2');
});

test('talks with @stomp/stompjs: topics and a queue, both ways', async () => {
  const [tcp, web] = [await clients.stompit(), await clients.stompJs()];
  await tcp.subscribe('/topic/talk.to.tcp');
  await web.subscribe('/topic/talk.to.web');
  await tcp.send('/topic/talk.to.web', 'hello web', { from: 'tcp' });
  const atWeb = await web.next();
  assert.equal([atWeb.body, atWeb.headers.from], ['hello web', 'tcp']);
  await web.send('/topic/talk.to.tcp', 'hello tcp', { from: 'web' });
  const atTcp = await tcp.next();
  assert.equal([atTcp.body, atTcp.message.headers.from], ['hello tcp', 'web']);
  await tcp.send('/queue/talk', 'job');
  await web.subscribe('/queue/talk');
  assert.is((await web.next()).body, 'job');
});

test.run();
