# ruby-stomp, driven by lines of JSON (stomp-driver.ts): Stomp::Connection for the common steps, Stomp::Client for its own ways.
require 'json'
require 'stomp'

$stdout.sync = true
Thread.report_on_exception = false
LOCK = Mutex.new

def utf8(text)
  text.to_s.dup.force_encoding('UTF-8').scrub
end

def say(what)
  LOCK.synchronize { puts JSON.generate(what) }
end

# A header that came several times is a list: the first counts.
def told(frame)
  headers = frame.headers.to_h { |name, value| [utf8(name), utf8(value.is_a?(Array) ? value.first : value)] }
  { headers: headers, body: utf8(frame.body) }
end

def symbols(headers)
  (headers || {}).transform_keys(&:to_sym)
end

# One connection, and the thread that receives for it.
class Session
  attr_reader :connection

  def initialize(at, command)
    @at = at
    @connection = Stomp::Connection.new(options(command))
    frame = @connection.connection_frame
    raise "ERROR #{frame.headers['message']}" if frame.command == 'ERROR'
    @listener = Thread.new { listen }
  end

  def options(command)
    headers = {}
    headers = { 'accept-version' => command['version'], 'host' => command['host'] } if command['version'] != '1.0'
    headers['heart-beat'] = command['heartBeat'].join(',') if command['heartBeat']
    host = { login: command['login'], passcode: command['passcode'], host: command['host'], port: command['port'] }
    { hosts: [host], reliable: false, connect_headers: headers }
  end

  def listen
    while (frame = @connection.receive)
      case frame.command
      when 'MESSAGE' then say(at: @at, message: told(frame))
      when 'ERROR' then say(at: @at, error: told(frame))
      when 'RECEIPT' then say(at: @at, receipt: frame.headers['receipt-id'])
      end
    end
    say(at: @at, closed: true)
  rescue StandardError => e
    say(at: @at, closed: true, why: e.inspect)
  end

  # What acknowledges a message, by version.
  def token(message, headers)
    known = message['headers']
    return [known['ack'], headers] if @connection.protocol == '1.2'
    return [known['message-id'], headers] if @connection.protocol == '1.0'
    [known['message-id'], headers.merge(subscription: known['subscription'])]
  end

  def leave
    @listener.kill.join
    @connection.disconnect(receipt: 'bye')
    { receipt: @connection.disconnect_receipt.headers['receipt-id'] }
  end

  def act(command)
    headers = symbols(command['headers'])
    case command['do']
    when 'send' then @connection.publish(command['destination'], command['body'], headers)
    when 'subscribe', 'unsubscribe' then @connection.send(command['do'], command['destination'], headers)
    when 'ack', 'nack' then @connection.send(command['do'], *token(command['message'], headers))
    when 'begin', 'commit', 'abort' then @connection.send(command['do'], command['transaction'], headers)
    when 'leave' then return leave
    end
    {}
  end
end

# What applications do with Stomp::Client; what its blocks get goes to the connection named in `at`.
def client(command, clients)
  at = command['at']
  case command['do']
  when 'client'
    clients[at] = Stomp::Client.new(symbols(command['options']).merge(hosts: command['hosts'].map { |each| symbols(each) }))
  when 'url' then clients[at] = Stomp::Client.new(command['url'])
  when 'listen'
    clients[at].subscribe(command['destination'], symbols(command['headers'])) do |message|
      say(at: at, message: told(message))
      clients[at].ack(message) { |frame| say(at: at, receipt: "ack #{frame.command}") } if command['acks']
    end
  when 'publish'
    clients[at].publish(command['destination'], command['body']) { |frame| say(at: at, receipt: frame.command) }
  when 'close' then clients[at].close
  end
  { version: clients[at].protocol }
end

sessions = {}
clients = {}
while (line = $stdin.gets)
  command = JSON.parse(line)
  begin
    at = command['at']
    sessions[at] = Session.new(at, command) if command['do'] == 'connect'
    answer = sessions[at] ? sessions[at].act(command) : client(command, clients)
    answer = { version: sessions[at].connection.protocol } if command['do'] == 'connect'
    say(answer.merge(id: command['id']))
  rescue StandardError => e
    say(id: command['id'], failed: "#{e.class}: #{e.message}")
  end
end
exit!(0)
