"""python3-stomp, driven by lines of JSON (stomp-driver.ts)."""
import json
import sys
import threading

import stomp

KINDS = {'1.0': stomp.Connection10, '1.1': stomp.Connection11, '1.2': stomp.Connection12}
lock = threading.Lock()
sessions = {}


def say(**what):
    with lock:
        print(json.dumps(what), flush=True)


class Listener(stomp.ConnectionListener):
    def __init__(self, at):
        self.at = at
        self.refused = None
        self.over = threading.Event()

    def on_message(self, frame):
        say(at=self.at, message={'headers': frame.headers, 'body': frame.body})

    def on_error(self, frame):
        self.refused = frame.headers.get('message')
        say(at=self.at, error={'headers': frame.headers, 'body': frame.body})

    def on_receipt(self, frame):
        say(at=self.at, receipt=frame.headers['receipt-id'])

    def on_disconnected(self):
        self.over.set()
        say(at=self.at, closed=True)


class Session:
    def __init__(self, at, command):
        options = {}
        if 'heartBeat' in command:
            options['heartbeats'] = tuple(command['heartBeat'])
        if 'contentLength' in command:
            options['auto_content_length'] = command['contentLength']
        self.version = command['version']
        self.connection = KINDS[self.version]([(command['host'], command['port'])], **options)
        self.listener = Listener(at)
        self.connection.set_listener('', self.listener)
        try:
            self.connection.connect(command.get('login'), command.get('passcode'), wait=True)
        except stomp.exception.ConnectFailedException as error:
            raise RuntimeError('ERROR %s' % self.listener.refused) from error

    def act(self, command):
        what = command['do']
        headers = command.get('headers', {})
        if what == 'send':
            self.connection.send(command['destination'], command['body'], headers=headers)
        elif what == 'subscribe':
            own = {name: value for name, value in headers.items() if name not in ('id', 'ack')}
            self.connection.subscribe(command['destination'], headers.get('id'), headers.get('ack', 'auto'), own)
        elif what == 'unsubscribe':
            own = {name: value for name, value in headers.items() if name != 'id'}
            if self.version == '1.0':
                self.connection.unsubscribe(command['destination'], headers=own)
            else:
                self.connection.unsubscribe(headers['id'], headers=own)
        elif what in ('ack', 'nack'):
            known = command['message']['headers']
            names = {'1.0': ['message-id'], '1.1': ['message-id', 'subscription'], '1.2': ['ack']}
            getattr(self.connection, what)(*[known[name] for name in names[self.version]], **headers)
        elif what in ('begin', 'commit', 'abort'):
            getattr(self.connection, what)(command['transaction'], headers)
        elif what == 'leave':
            self.connection.disconnect(receipt='bye')
            return {'receipt': 'bye' if self.listener.over.wait(5) else 'never'}
        return {}


def act(command):
    at = command['at']
    if command['do'] == 'connect':
        sessions[at] = Session(at, command)
        return {'version': sessions[at].version}
    return sessions[at].act(command)


for line in sys.stdin:
    command = json.loads(line)
    try:
        say(id=command['id'], **act(command))
    except Exception as error:  # whatever it is, it is the answer
        say(id=command['id'], failed='%s: %s' % (type(error).__name__, error))
