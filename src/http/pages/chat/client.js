/** A connection to the broker by the JSON protocol trimaran.v1, made again when it is lost. */

const FIRST_WAIT = 500;
const LONGEST_WAIT = 20_000;
/** The server has this long to answer a ping, and pings are this far apart, milliseconds. */
const PING_EVERY = 25_000;

export class Client {
  #url;
  #filter;
  #credentials;
  #events;
  #socket;
  #timer;
  #pinger;
  #attempts = 0;
  #requests = 0;
  #closed = false;
  /** Requests not answered yet: id to what to call with the error, or with nothing. */
  #waiting = new Map();
  #heard = true;
  #goodbye = '';
  #refused = false;

  /**
   * `credentials`: userName and password, or neither.
   * `events`: state(name, text), message(message), problem(text), refused(tried): a login is asked for.
   * States: connecting, connected, waiting (for the next attempt), idle (there will be none).
   */
  constructor(url, filter, credentials, events) {
    this.#url = url;
    this.#filter = filter;
    this.#credentials = credentials;
    this.#events = events;
    this.#connect();
  }

  clientId = '';

  /** Publishes durably. Resolves with undefined when the broker has it, else with what was wrong. */
  publish(fields) {
    return new Promise((resolve) => {
      if (!this.#request({ type: 'publish', durable: true, ...fields }, resolve)) resolve('not connected');
    });
  }

  /** Does not wait any longer for the next attempt. */
  hurry() {
    if (this.#timer !== undefined) this.#connect();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#drop();
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#goodbye = '';
    this.#events.state('connecting', 'Connecting…');
    const socket = new WebSocket(this.#url, 'trimaran.v1');
    this.#socket = socket;
    // A socket that was given up may still have something to say.
    const mine = (act) => (event) => {
      if (this.#socket === socket) act(event);
    };
    socket.addEventListener(
      'open',
      mine(() => socket.send(JSON.stringify({ type: 'hello', ...this.#credentials }))),
    );
    socket.addEventListener(
      'message',
      mine((event) => this.#receive(event.data)),
    );
    socket.addEventListener(
      'close',
      mine(() => this.#lost()),
    );
  }

  #receive(data) {
    this.#heard = true;
    const message = JSON.parse(data);
    if (message.type === 'message') this.#events.message(message);
    else if (message.type === 'hello') this.#welcome(message);
    else if (message.type === 'goodbye') this.#leave(message);
    else if (message.type === 'error') this.#answered(message.id, message.message);
    else if (message.type === 'ack') this.#answered(message.id, undefined);
  }

  #welcome(hello) {
    this.clientId = hello.clientId;
    this.#request({ type: 'subscribe', filter: this.#filter }, (error) => {
      if (error !== undefined) {
        this.#events.problem(`The room cannot be joined: ${error}`);
        return;
      }
      this.#attempts = 0;
      this.#events.state('connected', 'Connected');
    });
    this.#pinger = setInterval(() => this.#ping(), PING_EVERY);
  }

  #leave({ code, message }) {
    this.#goodbye = message;
    this.#refused = code === 'badCredentials' || code === 'notAuthorized';
  }

  /** A connection can be gone without either side being told. */
  #ping() {
    if (!this.#heard) {
      this.#lost();
      return;
    }
    this.#heard = false;
    this.#socket.send('{"type":"ping"}');
  }

  #request(fields, answered) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    const id = ++this.#requests;
    this.#waiting.set(id, answered);
    this.#socket.send(JSON.stringify({ ...fields, id }));
    return true;
  }

  #answered(id, error) {
    const answered = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (answered !== undefined) answered(error);
    else if (error !== undefined && this.clientId !== '') this.#events.problem(error);
  }

  #lost() {
    this.#drop();
    if (this.#closed) return;
    if (this.#refused) {
      // Again and again would not help, and looks like guessing.
      this.#closed = true;
      this.#events.state('idle', 'Not joined');
      this.#events.refused('password' in this.#credentials);
      return;
    }
    // Between half and all of it, so that browsers do not all come back at once.
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#attempts++) * (0.5 + Math.random() / 2);
    const why = this.#goodbye === '' ? '' : ` (${this.#goodbye})`;
    this.#events.state('waiting', `Connection lost${why}, trying again in ${Math.ceil(wait / 1000)} s`);
    this.#timer = setTimeout(() => this.#connect(), wait);
  }

  #drop() {
    clearInterval(this.#pinger);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const answered of waiting) answered('the connection was lost');
  }
}
