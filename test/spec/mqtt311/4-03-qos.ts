import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { data, type MqttWire, packet, raw, word } from '../../support/mqtt-wire.ts';
import { type Client, Rig, textOf } from '../mqtt/support/rig.ts';

/** The state machines of QoS 0, 1 and 2 (4.3), both ways, of every version. */

for (const version of [3, 4, 5] as const) {
  const test = suite(`mqtt311/4-03-qos v${version}`);
  const rig = new Rig(version);
  let watcher: Client;
  let client: MqttWire;
  const none = version === 5 ? '00' : '';

  test.before(() => rig.start());
  test.after(() => rig.stop());
  test.before.each(async () => {
    watcher = await rig.client('watcher');
    await watcher.subscribe('in/#', 0);
    client = await rig.connected({ level: version });
  });
  test.after.each(() => rig.leave());

  const publish = (qos: 0 | 1 | 2, id: number, payload: string, topic = 'in/x', dup = false): string =>
    packet(0x30 | (qos << 1) | (dup ? 8 : 0), data(topic), qos > 0 ? word(id) : '', none, raw(payload));
  const puback = (id: number) => packet(0x40, word(id));
  const pubrec = (id: number) => packet(0x50, word(id));
  const pubrel = (id: number) => packet(0x62, word(id));
  const pubcomp = (id: number) => packet(0x70, word(id));
  /** PUBREL and PUBCOMP for what is not known. */
  const unknown = (first: number, id: number): string =>
    version === 5 ? packet(first, word(id), '92') : packet(first, word(id));

  /** What the watcher has been given. */
  const taken = async (): Promise<string[]> =>
    (await watcher.flush()).flatMap((each) => (each.cmd === 'publish' ? [textOf(each)] : []));

  // --- from the client ----------------------------------------------------------------------------------------------

  test('[MQTT-4.3.1-1] QoS 0: nothing answers it', async () => {
    client.send(publish(0, 0, 'x'));
    assert.equal(await client.flush(), []);
    assert.equal(await taken(), ['x']);
  });

  test('[MQTT-4.3.2-2] (4.3.2-4 in 5.0) QoS 1: PUBACK with its identifier, and the message is delivered', async () => {
    client.send(publish(1, 7, 'x'));
    assert.is(await client.next(), puback(7));
    assert.equal(await taken(), ['x']);
  });

  test('[MQTT-4.3.2-2] (4.3.2-5 in 5.0) QoS 1: after PUBACK the identifier is free, and means a new message, with DUP or without', async () => {
    for (const dup of [false, false, true]) {
      client.send(publish(1, 7, `${dup}`, 'in/x', dup));
      assert.is(await client.next(), puback(7));
    }
    assert.equal(await taken(), ['false', 'false', 'true']);
  });

  test('[MQTT-4.3.3-2] (4.3.3-8, 4.3.3-11 in 5.0) QoS 2: PUBREC, then PUBREL and PUBCOMP; delivered once', async () => {
    client.send(publish(2, 7, 'x'));
    assert.is(await client.next(), pubrec(7));
    client.send(pubrel(7));
    assert.is(await client.next(), pubcomp(7));
    assert.equal(await taken(), ['x']);
  });

  test('[MQTT-4.3.3-2] (4.3.3-10 in 5.0) QoS 2: the same identifier before PUBREL is the same message: PUBREC again, delivered once', async () => {
    client.send(publish(2, 7, 'x'));
    assert.is(await client.next(), pubrec(7));
    for (const [payload, dup] of [
      ['x', true],
      ['x', false],
      ['another', true],
    ] as const) {
      client.send(publish(2, 7, payload, 'in/x', dup));
      assert.is(await client.next(), pubrec(7));
    }
    client.send(pubrel(7));
    assert.is(await client.next(), pubcomp(7));
    assert.equal(await taken(), ['x']);
  });

  test('[MQTT-4.3.3-2] (4.3.3-10 in 5.0) QoS 2: the same twice at once, delivered once', async () => {
    client.send(publish(2, 7, 'x'), publish(2, 7, 'x', 'in/x', true));
    assert.is(await client.next(), pubrec(7));
    client.send(pubrel(7));
    const packets = [await client.next()];
    if (packets[0] === pubrec(7)) packets.push(await client.next());
    assert.is(packets[packets.length - 1], pubcomp(7));
    assert.equal(await client.flush(), []);
    assert.equal(await taken(), ['x']);
  });

  test('[MQTT-4.3.3-2] (4.3.3-12 in 5.0) QoS 2: after PUBCOMP the identifier means a new message, with DUP or without', async () => {
    for (const dup of [false, false, true]) {
      client.send(publish(2, 7, `${dup}`, 'in/x', dup));
      assert.is(await client.next(), pubrec(7));
      client.send(pubrel(7));
      assert.is(await client.next(), pubcomp(7));
    }
    assert.equal(await taken(), ['false', 'false', 'true']);
  });

  test('4.3.3 QoS 2: PUBREL right behind PUBLISH: PUBREC, then PUBCOMP', async () => {
    client.send(publish(2, 7, 'x'), pubrel(7));
    assert.equal(await client.take(2), [pubrec(7), pubcomp(7)]);
    client.send(publish(2, 8, 'y'), publish(2, 9, 'z'), pubrel(9), pubrel(8));
    const packets = await client.take(4);
    assert.equal(packets.slice().sort(), [pubrec(8), pubrec(9), pubcomp(8), pubcomp(9)].sort());
    for (const id of [8, 9]) assert.ok(packets.indexOf(pubrec(id)) < packets.indexOf(pubcomp(id)));
    assert.equal(await taken(), ['x', 'y', 'z']);
  });

  test('4.3.3 QoS 2: PUBREL again, and for an identifier that never was: PUBCOMP (0x92 in 5.0)', async () => {
    client.send(publish(2, 7, 'x'));
    assert.is(await client.next(), pubrec(7));
    client.send(pubrel(7));
    assert.is(await client.next(), pubcomp(7));
    client.send(pubrel(7));
    assert.is(await client.next(), unknown(0x70, 7));
    client.send(pubrel(1234));
    assert.is(await client.next(), unknown(0x70, 1234));
    assert.equal(await client.flush(), []);
  });

  test('4.3 many at once of every QoS, released in another order', async () => {
    const ids = Array.from({ length: 60 }, (_, i) => i + 1);
    client.send(...ids.map((id) => publish(id % 2 === 0 ? 1 : 2, id, `${id}`)));
    const answers = await client.take(60);
    // [MQTT-4.6.0-2] [MQTT-4.6.0-3]: PUBACK in the order of the messages, and PUBREC.
    assert.equal(
      answers.filter((each) => each.startsWith('40')),
      ids.filter((id) => id % 2 === 0).map(puback),
    );
    const twice = ids.filter((id) => id % 2 === 1);
    assert.equal(
      answers.filter((each) => each.startsWith('50')),
      twice.map(pubrec),
    );
    const reversed = [...twice].reverse();
    client.send(...reversed.map(pubrel));
    assert.equal(await client.take(30), reversed.map(pubcomp));
    assert.equal(await taken(), ids.map(String));
  });

  test('4.3 an identifier of QoS 2 that is not released does not stand in the way of other packets with it', async () => {
    client.send(publish(2, 7, 'twice'));
    assert.is(await client.next(), pubrec(7));
    client.send(packet(0x82, word(7), none, data('out'), '00'));
    assert.is(await client.next(), packet(0x90, word(7), none, '00'));
    client.send(pubrel(7));
    assert.is(await client.next(), pubcomp(7));
  });

  // --- to the client ------------------------------------------------------------------------------------------------

  /** The client has subscribed to `out` and been sent a message at this QoS; its identifier. */
  async function sent(qos: 1 | 2, payload = 'x'): Promise<number> {
    client.send(packet(0x82, word(1), none, data('out'), `0${qos}`));
    assert.is(await client.next(), packet(0x90, word(1), none, `0${qos}`));
    watcher.publish('out', payload, { qos, messageId: 1 });
    const message = await client.next();
    const id = message.slice(14, 18);
    assert.is(message, packet(0x30 | (qos << 1), data('out'), id, none, raw(payload)));
    await watcher.next();
    if (qos === 2) watcher.send({ cmd: 'pubrel', messageId: 1 });
    if (qos === 2) await watcher.expect('pubcomp');
    return Number.parseInt(id, 16);
  }

  /** Told that it broke the protocol, and closed. */
  async function protocolError(): Promise<void> {
    const last = await client.end();
    if (version < 5) assert.equal(last, []);
    else assert.match(last[last.length - 1] ?? '', /^e0..82/);
  }

  test('[MQTT-4.3.2-1] (4.3.2-2 in 5.0) QoS 1: DUP 0 the first time; PUBACK ends it', async () => {
    const id = await sent(1);
    client.send(puback(id));
    assert.equal(await client.flush(), []);
  });

  test('[MQTT-4.3.3-1] (4.3.3-2, 4.3.3-4 in 5.0) QoS 2: DUP 0; PUBREL answers PUBREC with its identifier, nothing PUBCOMP', async () => {
    const id = await sent(2);
    client.send(pubrec(id));
    assert.is(await client.next(), pubrel(id));
    client.send(pubcomp(id));
    assert.equal(await client.flush(), []);
  });

  test('[MQTT-4.3.3-1] QoS 2: PUBREC again before PUBCOMP: PUBREL again', async () => {
    const id = await sent(2);
    for (let i = 0; i < 3; i++) {
      client.send(pubrec(id));
      assert.is(await client.next(), pubrel(id));
    }
    client.send(pubcomp(id));
    assert.equal(await client.flush(), []);
  });

  test('4.3.3 QoS 2: PUBREC after PUBCOMP, or for what was never sent: PUBREL (0x92 in 5.0), nothing PUBCOMP', async () => {
    const id = await sent(2);
    client.send(pubrec(id));
    assert.is(await client.next(), pubrel(id));
    client.send(pubcomp(id), pubrec(id));
    assert.is(await client.next(), unknown(0x62, id));
    client.send(pubcomp(id), pubrec(4321));
    assert.is(await client.next(), unknown(0x62, 4321));
    client.send(pubcomp(4321));
    assert.equal(await client.flush(), []);
  });

  test('4.3.2 QoS 1: PUBACK again, or for what was never sent, changes nothing', async () => {
    const id = await sent(1);
    client.send(puback(id), puback(id), puback(999));
    assert.equal(await client.flush(), []);
  });

  test('[MQTT-4.4.0-1] what is not acknowledged is not sent again on the same connection', async () => {
    await sent(1);
    await sent(2);
    for (let i = 0; i < 5; i++) assert.equal(await client.flush(), []);
  });

  for (const [what, qos, answer] of [
    ['QoS 1 with PUBREC', 1, pubrec],
    ['QoS 1 with PUBCOMP', 1, pubcomp],
    ['QoS 2 with PUBACK', 2, puback],
    ['QoS 2 with PUBCOMP before PUBREC', 2, pubcomp],
  ] as const) {
    test(`4.3 (1.2 in 5.0) a client that answers ${what} breaks the protocol: closed`, async () => {
      const id = await sent(qos);
      client.send(answer(id));
      await protocolError();
    });
  }

  test('4.3 (1.2 in 5.0) a client that answers PUBREL with PUBACK breaks the protocol: closed', async () => {
    const id = await sent(2);
    client.send(pubrec(id));
    assert.is(await client.next(), pubrel(id));
    client.send(puback(id));
    await protocolError();
  });

  test.run();
}
