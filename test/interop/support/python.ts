/** Clients in Python, by python3-paho-mqtt and python3-stomp. */

/** Connects, and says what it receives, a line of JSON each. At the message `go` it sends its own. Ends at `end`. */
export const PAHO = `
import json, sys
import paho.mqtt.client as mqtt
from paho.mqtt.properties import Properties
from paho.mqtt.packettypes import PacketTypes

host, port, version, transport, name = sys.argv[1:6]
five = version == '5.0'
client = mqtt.Client(client_id=name, protocol=mqtt.MQTTv5 if five else mqtt.MQTTv311, transport=transport)
if transport == 'websockets':
    client.ws_set_options(path='/mqtt')

def say(what):
    print(json.dumps(what, sort_keys=True), flush=True)

def on_connect(client, userdata, flags, code, properties=None):
    say({'connected': str(code)})
    client.subscribe('talk/#', 2)

def on_message(client, userdata, message):
    text = message.payload.decode()
    properties = message.properties.json() if five else {}
    say({'topic': message.topic, 'qos': message.qos, 'retain': bool(message.retain), 'text': text,
         'user': properties.get('UserProperty', []), 'type': properties.get('ContentType', '')})
    if text == 'go':
        for qos in (0, 1, 2):
            properties = None
            if five:
                properties = Properties(PacketTypes.PUBLISH)
                properties.ContentType = 'text/plain'
                properties.UserProperty = [('from', name), ('from', 'paho')]
            client.publish('talk/' + name, name + ' by ' + str(qos), qos, properties=properties)
    if text == 'end':
        client.disconnect()
    if text == 'crash':
        import os
        os._exit(9)

client.will_set('talk/will', name + ' is gone', 1)
client.on_connect = on_connect
client.on_message = on_message
client.on_subscribe = lambda *rest: say('ready')
client.connect(host, int(port), 30)
client.loop_forever()
`;

/** The same over STOMP; what it sends, it sends with a receipt, in a transaction, and to a queue that it works off. */
export const STOMP = `
import json, sys, threading
import stomp

host, port, version, name, patience = sys.argv[1:6]
kind = {'1.0': stomp.Connection10, '1.1': stomp.Connection11, '1.2': stomp.Connection12}[version]
beats = {} if version == '1.0' else {'heartbeats': (1000, 1000)}
connection = kind([(host, int(port))], **beats)
done = threading.Event()

def say(what):
    print(json.dumps(what, sort_keys=True), flush=True)

class Listener(stomp.ConnectionListener):
    def on_connected(self, frame):
        say({'connected': frame.headers.get('version', '1.0')})
    def on_error(self, frame):
        say({'error': frame.headers.get('message')})
        done.set()
    def on_disconnected(self):
        done.set()
    def on_receipt(self, frame):
        receipt = frame.headers['receipt-id']
        if receipt == 'subscribed':
            say('ready')
        elif receipt != 'bye':
            say({'receipt': receipt})
    def on_message(self, frame):
        headers = frame.headers
        say({'destination': headers['destination'], 'text': frame.body, 'from': headers.get('from', ''),
             'type': headers.get('content-type', ''), 'persistent': headers.get('persistent', '')})
        if headers['destination'].startswith('/queue/'):
            token = headers['ack'] if version == '1.2' else headers['message-id']
            if version == '1.1':
                connection.ack(token, headers['subscription'])
            else:
                connection.ack(token)
            return
        if frame.body == 'go':
            topic = '/topic/talk.' + name
            connection.send(topic, name + ' by send', content_type='text/plain', receipt='sent', headers={'from': name})
            transaction = connection.begin()
            connection.send(topic, name + ' by transaction', content_type='text/plain', transaction=transaction)
            connection.commit(transaction)
            connection.send('/queue/jobs.' + name, name + ' by queue', content_type='text/plain')
        if frame.body == 'end':
            done.set()

connection.set_listener('', Listener())
connection.connect(wait=True)
connection.subscribe('/queue/jobs.' + name, id='jobs', ack='client' if version == '1.0' else 'client-individual')
connection.subscribe('/topic/talk.#', id='talk', ack='auto', headers={'receipt': 'subscribed'})
done.wait(float(patience))
if connection.is_connected():
    connection.disconnect(receipt='bye')
say('over')
`;
