/**
 * python3-paho-mqtt alone, one thing after the other; what it saw of each is a line of JSON. Which broker, version and transport are
 * its arguments.
 */
export const PAHO_ALONE = `
import json, queue, sys, time
import paho.mqtt.client as mqtt
from paho.mqtt.properties import Properties
from paho.mqtt.packettypes import PacketTypes

host, port, version, transport = sys.argv[1:5]
lasting = 'py-lasting-%s-%s' % (version, transport)
five = version == '5.0'
kinds = {'3.1': mqtt.MQTTv31, '3.1.1': mqtt.MQTTv311, '5.0': mqtt.MQTTv5}

def say(what, seen):
    print(json.dumps([what, seen]), flush=True)

class Client:
    def __init__(self, name, lasting=False, will=None, **asked):
        options = {} if five else {'clean_session': not lasting}
        self.client = mqtt.Client(client_id=name, protocol=kinds[version], transport=transport, **options)
        if transport == 'websockets':
            self.client.ws_set_options(path='/mqtt')
        self.heard, self.answers, self.aliases = queue.Queue(), queue.Queue(), {}
        self.client.on_message = lambda client, data, message: self.heard.put(message)
        self.client.on_subscribe = lambda client, data, mid, codes, *rest: self.answers.put([getattr(c, 'value', c) for c in codes])
        self.client.on_publish = lambda *rest: self.answers.put('published')
        if will:
            self.client.will_set(*will)
        self.connected = queue.Queue()
        self.client.on_connect = lambda client, data, flags, code, *rest: self.connected.put(
            [getattr(code, 'value', code), bool(flags['session present'])])
        self.client.on_disconnect = lambda client, data, code, *rest: self.answers.put(['end', getattr(code, 'value', code)])
        more = {}
        if five:
            more = {'clean_start': not lasting, 'properties': Properties(PacketTypes.CONNECT)}
            if lasting:
                more['properties'].SessionExpiryInterval = 60
            for key, value in asked.items():
                setattr(more['properties'], key, value)
        self.client.connect(host, int(port), 30, **more)
        self.client.loop_start()
        self.answer = self.connected.get(timeout=5)

    def subscribe(self, filter, qos):
        self.client.subscribe(filter, qos)
        return self.answers.get(timeout=5)

    def publish(self, topic, payload, qos=1, retain=False, **properties):
        made = None
        if properties:
            made = Properties(PacketTypes.PUBLISH)
            for key, value in properties.items():
                setattr(made, key, value)
        self.client.publish(topic, payload, qos, retain, properties=made)
        return self.answers.get(timeout=5)

    def hear(self):
        message = self.heard.get(timeout=5)
        # The library leaves topic aliases to the application.
        alias = getattr(message.properties, 'TopicAlias', None) if five else None
        topic = message.topic or self.aliases[alias]
        if alias:
            self.aliases[alias] = topic
        return [topic, message.payload.decode(), message.qos, bool(message.retain)]

    def end(self):
        self.client.disconnect()
        self.client.loop_stop()

everything = {'UserProperty': [('a', '1'), ('a', '2')], 'ReceiveMaximum': 10, 'TopicAliasMaximum': 5,
              'MaximumPacketSize': 2000000, 'RequestResponseInformation': 1} if five else {}
sender, receiver = Client('py-sender'), Client('py-receiver', **everything)
say('connected', [sender.answer, receiver.answer])
seen = []
for granted in (0, 1, 2):
    receiver.subscribe('py/%d' % granted, granted)
    for qos in (0, 1, 2):
        sender.publish('py/%d' % granted, 'x', qos)
        seen.append(receiver.hear()[2])
say('qos', seen)

sender.publish('py/kept', 'state', 1, True)
receiver.subscribe('py/kept', 1)
say('retained', receiver.hear())
sender.publish('py/kept', '', 1, True)
say('removed', receiver.hear())

receiver.subscribe('py/large', 2)
sender.publish('py/large', 'large ' * 150000, 2)
say('large', len(receiver.hear()[1]))

first = Client(lasting, True)
first.subscribe('py/lasting', 1)
first.end()
sender.publish('py/lasting', 'one')
sender.publish('py/lasting', 'two', 2)
second = Client(lasting, True)
say('session', [first.answer, second.answer, second.hear(), second.hear()])

if five:
    members = [Client('py-member-%d' % i) for i in (1, 2)]
    for member in members:
        member.subscribe('$share/py/py/shared', 1)
    for text in 'abcd':
        sender.publish('py/shared', text)
    deadline = time.time() + 5
    while sum(member.heard.qsize() for member in members) < 4 and time.time() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    say('shared', sorted(member.hear()[1] for member in members for _ in range(member.heard.qsize())))
    receiver.subscribe('py/alias', 1)
    sender.publish('py/alias', 'first', TopicAlias=3)
    sender.publish('', 'second', TopicAlias=3)
    say('alias', [receiver.hear(), receiver.hear()])
    second.end()
    sender.publish('py/lasting', 'short', MessageExpiryInterval=1)
    sender.publish('py/lasting', 'long', MessageExpiryInterval=100)
    time.sleep(1.5)
    third = Client(lasting, True)
    message = third.heard.get(timeout=5)
    say('expiry', [message.payload.decode(), 90 < message.properties.MessageExpiryInterval < 100])
    say('codes', [receiver.subscribe('$share/py/$queue/x', 1)])
    receiver.subscribe('py/answer', 1)
    third.subscribe('py/ask', 1)
    receiver.publish('py/ask', 'how?', ResponseTopic='py/answer', CorrelationData=b'c')
    asked = third.heard.get(timeout=5)
    third.publish(asked.properties.ResponseTopic, 'so', CorrelationData=asked.properties.CorrelationData)
    answer = receiver.heard.get(timeout=5)
    say('request', [answer.payload.decode(), answer.properties.CorrelationData.decode()])
    twin = Client('py-sender')
    say('taken over', sender.answers.get(timeout=5))
`;
