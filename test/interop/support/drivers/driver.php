<?php
// php-stomp, driven by lines of JSON (stomp-driver.ts).

/** Between looks at the connections: the extension shows no socket to wait for. */
const LOOK_MICROSECONDS = 5000;
/** Seconds a call waits for its receipt. */
const PATIENCE = 5;

$stomps = [];

function say(array $what): void
{
    echo json_encode($what, JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}

function told(StompFrame $frame): array
{
    return ['headers' => (object) $frame->headers, 'body' => (string) $frame->body];
}

/** All that has come on a connection: messages, as a call with a receipt takes that. It is gone when there is to read, but no frame. */
function receive(string $at): void
{
    global $stomps;
    while (isset($stomps[$at])) {
        // Its time-out is that of hasFrame, too.
        $stomps[$at]->setReadTimeout(0, 1);
        if (!$stomps[$at]->hasFrame()) {
            return;
        }
        $stomps[$at]->setReadTimeout(PATIENCE);
        try {
            $frame = $stomps[$at]->readFrame();
        } catch (StompException $e) {
            say(['at' => $at, 'error' => ['headers' => ['message' => $e->getMessage()], 'body' => (string) $e->getDetails()]]);
            continue;
        }
        if ($frame === false && $stomps[$at]->error() === false) {
            say(['at' => $at, 'beat' => true]);
            continue;
        }
        if ($frame === false) {
            unset($stomps[$at]);
            say(['at' => $at, 'closed' => true]);
            return;
        }
        say(['at' => $at, 'message' => told($frame)]);
    }
}

function connect(array $command): array
{
    global $stomps;
    $headers = [];
    if ($command['version'] !== '1.0') {
        $headers = ['accept-version' => $command['version'], 'host' => $command['host']];
    }
    if (isset($command['heartBeat'])) {
        $headers['heart-beat'] = implode(',', $command['heartBeat']);
    }
    $broker = "tcp://{$command['host']}:{$command['port']}";
    $stomp = new Stomp($broker, $command['login'] ?? '', $command['passcode'] ?? '', $headers);
    $stomps[$command['at']] = $stomp;
    // It does not show CONNECTED.
    return ['version' => $command['version']];
}

function act(array $command): array
{
    global $stomps;
    $what = $command['do'];
    if ($what === 'connect') {
        return connect($command);
    }
    $at = $command['at'];
    $stomp = $stomps[$at] ?? throw new Exception('there is no such connection');
    $stomp->setReadTimeout(PATIENCE);
    $headers = $command['headers'] ?? [];
    $destination = $command['destination'] ?? '';
    $done = match ($what) {
        'send' => $stomp->send($destination, $command['body'], $headers),
        'subscribe', 'unsubscribe' => $stomp->$what($destination, $headers),
        // It knows `message-id` only; 1.2 wants `id`.
        'ack', 'nack' => $stomp->$what(
            new StompFrame('MESSAGE', $command['message']['headers'], $command['message']['body']),
            isset($command['message']['headers']['ack']) ? ['id' => $command['message']['headers']['ack']] + $headers : $headers,
        ),
        'ack by id' => $stomp->ack($command['message']['headers']['message-id']),
        'begin', 'commit', 'abort' => $stomp->$what($command['transaction'], $headers),
        'read' => $stomp->hasFrame() ? $stomp->readFrame() : false,
        'leave' => true,
    };
    if ($what === 'leave') {
        // Its destructor sends DISCONNECT.
        unset($stomps[$at], $stomp);
    }
    // A call with a receipt has waited for it.
    if (isset($headers['receipt'])) {
        $done ? say(['at' => $at, 'receipt' => $headers['receipt']]) : throw new Exception('no receipt: ' . $stomp->error());
    }
    return $done instanceof StompFrame ? ['message' => told($done)] : ['done' => $done];
}

while (!feof(STDIN)) {
    $read = [STDIN];
    $none = null;
    $ready = stream_select($read, $none, $none, 0, LOOK_MICROSECONDS);
    $line = $ready > 0 ? fgets(STDIN) : false;
    if ($line !== false) {
        $command = json_decode($line, true);
        try {
            say(act($command) + ['id' => $command['id']]);
        } catch (Throwable $e) {
            say(['id' => $command['id'], 'failed' => get_class($e) . ': ' . $e->getMessage()]);
        }
    }
    foreach (array_keys($stomps) as $at) {
        receive((string) $at);
    }
}
