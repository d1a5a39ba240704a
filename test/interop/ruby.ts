import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../support/eventually.ts';
import { RawStomp } from '../support/stomp-client.ts';
import { Driven } from './support/driven.ts';
import { Scene, stompSteps } from './support/stomp-steps.ts';
import { Tap } from './support/tap.ts';

/** Debian's ruby-stomp: Stomp::Connection for the common steps, Stomp::Client for what its users do. */

const ruby = new Driven({
  name: 'ruby-stomp',
  tool: 'ruby-stomp',
  script: 'driver.rb',
  versions: ['1.0', '1.1', '1.2'],
  beats: ['1.1', '1.2'],
  nacks: ['1.1', '1.2'],
  waits: true,
});
stompSteps(ruby, ruby.register);

const test = suite('ruby-stomp, Stomp::Client');
const scene = new Scene(test, ruby);
const own = (title: string, body: () => Promise<void>) => ruby.register(test, title, body);

const connectHeaders = (version: string) => ({ 'accept-version': version, host: 'localhost' });

own('a hash of hosts with logins; receipts by blocks, for publish and ack', async () => {
  for (const version of ['1.1', '1.2']) {
    const client = ruby.driver.peer();
    const hosts = [{ ...scene.guarded.stomp, login: 'ann', passcode: 'pässword' }];
    const options = { reliable: false, connect_headers: connectHeaders(version) };
    assert.is((await client.command('client', { hosts, options })).version, version);
    const destination = `/queue/blocks-${version}`;
    await client.command('listen', { destination, headers: { ack: 'client' }, acks: true });
    await client.command('publish', { destination, body: 'grüße' });
    assert.is((await client.next()).body, 'grüße');
    await eventually('both receipts', () => client.got('RECEIPT') && client.got('ack RECEIPT'));
    await client.command('close', {});
  }
});

own('a URL with login and passcode', async () => {
  const { host, port } = scene.guarded.stomp;
  const client = ruby.driver.peer();
  assert.is((await client.command('url', { url: `stomp://bob:secret@${host}:${port}` })).version, '1.0');
  await client.command('listen', { destination: '/topic/url', headers: {} });
  await client.command('publish', { destination: '/topic/url', body: 'here' });
  assert.is((await client.next()).body, 'here');
  await client.command('close', {});
});

own('reliable: it connects again when the line is cut, and subscribes again', async () => {
  for (const version of ['1.1', '1.2']) {
    const tap = await Tap.open(scene.open.stomp);
    const client = ruby.driver.peer();
    const options = { reliable: true, initial_reconnect_delay: 0.05, connect_headers: connectHeaders(version) };
    await client.command('client', { hosts: [tap.address], options });
    await client.command('listen', { destination: '/topic/again', headers: {} });
    tap.cut();
    await eventually('it is back', () => tap.connections === 2);
    const sender = await RawStomp.connect(scene.open.stomp);
    await eventually('it hears again', async () => {
      sender.send('SEND', { destination: '/topic/again' }, 'back');
      await sender.flush();
      return client.has;
    });
    assert.is((await client.next()).body, 'back');
    sender.destroy();
    await client.command('close', {});
    tap.close();
  }
});

own('STOMP in place of CONNECT, and CR LF line ends in 1.2', async () => {
  const client = ruby.driver.peer();
  const options = { reliable: false, stompconn: true, usecrlf: true, connect_headers: connectHeaders('1.2') };
  await client.command('client', { hosts: [scene.open.stomp], options });
  await client.command('listen', { destination: '/topic/lines', headers: {} });
  await client.command('publish', { destination: '/topic/lines', body: 'a\r\nb' });
  assert.is((await client.next()).body, 'a\r\nb');
  await client.command('close', {});
});

test.run();
