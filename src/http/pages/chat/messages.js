/** The messages on the page: the last ones, however many come. What they carry is only ever set as text. */

const KEPT = 300;
const TEXT_LENGTH = 4000;
const NAME_LENGTH = 60;
const PROTOCOLS = { mqtt: 'MQTT', stomp: 'STOMP', websocket: 'WebSocket', native: 'NATS' };

const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });
const number = new Intl.NumberFormat();

export class MessageList {
  #list;
  #empty;
  #newer;
  /** What the next frame shows: a flood of messages must not be a flood of layouts. */
  #queue = [];
  #skipped = 0;
  #scheduled = false;

  constructor(list, empty, newer) {
    this.#list = list;
    this.#empty = empty;
    this.#newer = newer;
    newer.addEventListener('click', () => this.#toEnd());
    list.addEventListener('scroll', () => {
      if (this.#atEnd()) newer.hidden = true;
    });
  }

  clear() {
    this.#queue = [];
    this.#skipped = 0;
    this.#list.replaceChildren();
    this.#newer.hidden = true;
  }

  /** What is said while there are none. */
  hint(text) {
    this.#empty.textContent = text;
    this.#empty.hidden = false;
  }

  add(message, own) {
    this.#queue.push({ message, own });
    if (this.#queue.length > KEPT) {
      this.#queue.shift();
      this.#skipped++;
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    // No frames come to a tab in the background; its messages must be there nevertheless.
    if (document.hidden) setTimeout(() => this.#show(), 200);
    else requestAnimationFrame(() => this.#show());
  }

  #show() {
    this.#scheduled = false;
    if (this.#queue.length === 0) return;
    const follow = this.#atEnd() || this.#queue.some(({ own }) => own);
    const added = this.#queue.map(({ message, own }) => render(message, own));
    if (this.#skipped > 0) added.unshift(notice(`${number.format(this.#skipped)} messages came too fast to be shown`));
    this.#queue = [];
    this.#skipped = 0;
    this.#list.append(...added);
    while (this.#list.childElementCount > KEPT) this.#list.firstElementChild.remove();
    this.#empty.hidden = true;
    if (follow) this.#toEnd();
    else this.#newer.hidden = false;
  }

  #atEnd() {
    return this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 40;
  }

  #toEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#newer.hidden = true;
  }
}

function render(message, own) {
  const { protocol, clientId } = message.publisher;
  const known = Object.hasOwn(PROTOCOLS, protocol) ? PROTOCOLS[protocol] : 'other';
  const sender = message.headers?.find(([header]) => header === 'from')?.[1] || clientId || 'someone';
  const item = element('li', own ? 'message own' : 'message');
  item.dataset.protocol = protocol;
  const about = element('div', 'about');
  const badge = element('span', 'badge', known);
  badge.dataset.protocol = protocol;
  const when = element('time', '', time.format(message.timestamp));
  when.dateTime = new Date(message.timestamp).toISOString();
  when.title = exact.format(message.timestamp);
  const from = element('span', 'from', visible(sender, NAME_LENGTH));
  from.title = visible(clientId, 200);
  about.append(badge, from, when);
  if (message.retain) about.append(element('span', 'kept', 'kept from before'));
  item.append(about, text(message));
  return item;
}

function text(message) {
  if (message.payload === undefined) {
    const padding = /=*$/.exec(message.payloadBase64)[0].length;
    const bytes = (message.payloadBase64.length / 4) * 3 - padding;
    return element('p', 'text odd', `${number.format(bytes)} bytes that are not text`);
  }
  if (message.payload === '') return element('p', 'text odd', 'empty');
  return element('p', 'text', visible(message.payload, TEXT_LENGTH));
}

/** No control character gets to the page (line breaks and tabs do), nor what turns the direction of text around. */
function visible(text, length) {
  const shown = text.length > length ? `${text.slice(0, length)}… (${number.format(text.length)} characters)` : text;
  return shown.replace(/[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/gu, '\ufffd').toWellFormed();
}

function notice(words) {
  return element('li', 'notice', words);
}

function element(tag, className, words = '') {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  made.textContent = words;
  return made;
}
