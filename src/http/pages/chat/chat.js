import { Client } from './client.js';
import { MessageList } from './messages.js';

const byId = (id) => document.getElementById(id);

const status = document.querySelector('.status');
const room = byId('room');
const name = byId('name');
const input = byId('input');
const list = new MessageList(byId('messages'), byId('empty'), byId('newer'));

let client;
let joined = '';

// --- joining ----------------------------------------------------------------------------------------------------------

/** Why a text is not the name of a room; empty when it is one. A room is one level of a topic. */
function roomFault(text) {
  if (text === '') return 'A room needs a name.';
  const wrong = ['/', '+', '#', '\0'].find((character) => text.includes(character));
  if (wrong !== undefined) return `A room’s name cannot contain ${wrong === '\0' ? 'a null character' : wrong}`;
  if (!text.isWellFormed()) return 'A room’s name must be valid text.';
  return '';
}

function join() {
  const wanted = room.value.trim();
  const fault = roomFault(wanted);
  const nameless = name.value.trim() === '';
  room.setAttribute('aria-invalid', String(fault !== ''));
  name.setAttribute('aria-invalid', String(fault === '' && nameless));
  byId('join-error').textContent = fault || (nameless ? 'Your name is missing.' : '');
  if (fault !== '' || nameless) {
    (fault === '' ? name : room).focus();
    return;
  }
  enter(wanted);
  input.focus();
}

function enter(wanted) {
  client?.close();
  joined = wanted;
  remember();
  list.clear();
  list.hint(`No one has said anything in ${wanted} since you joined.`);
  byId('problem').textContent = '';
  document.title = `${wanted} – Trimaran chat`;
  byId('join').textContent = 'Change';
  const url = new URL('ws', location.href);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  url.hash = '';
  client = new Client(url.href, `chat/${wanted}`, credentials(), {
    state: showState,
    message: (message) => list.add(message, message.publisher.clientId === client.clientId),
    problem: showProblem,
    refused: askForLogin,
  });
}

/** Only where the broker has asked for them; they are not kept beyond the page. */
function credentials() {
  return byId('user-label').hidden ? {} : { userName: byId('user').value, password: byId('password').value };
}

function askForLogin(tried) {
  for (const label of ['user-label', 'password-label']) byId(label).hidden = false;
  byId('join').textContent = 'Join';
  byId('join-error').textContent = tried ? 'Wrong user or password.' : 'This broker asks who you are.';
  byId(tried ? 'password' : 'user').focus();
}

/** The room in the address, to be shared; the name for the next visit; that this tab is in, for a reload of it. */
function remember() {
  history.replaceState(null, '', `#${encodeURIComponent(joined)}`);
  try {
    localStorage.setItem('trimaran.name', name.value.trim());
    sessionStorage.setItem('trimaran.joined', joined);
  } catch {
    // Storage may be turned off; nothing depends on it.
  }
}

function recalled(storage, key) {
  try {
    return window[storage].getItem(key) ?? '';
  } catch {
    return '';
  }
}

function roomOfAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return '';
  }
}

// --- state ------------------------------------------------------------------------------------------------------------

function showState(state, text) {
  status.dataset.state = state;
  status.textContent = text;
  const connected = state === 'connected';
  input.disabled = !connected;
  byId('send').disabled = !connected;
  if (connected && document.activeElement === document.body) input.focus();
}

function showProblem(text) {
  byId('problem').textContent = text;
}

// --- sending ----------------------------------------------------------------------------------------------------------

async function send() {
  const payload = input.value;
  if (payload.trim() === '' || client === undefined) return;
  input.value = '';
  showProblem('');
  const error = await client.publish({
    topic: `chat/${joined}`,
    payload,
    contentType: 'text/plain',
    headers: [['from', name.value.trim()]],
  });
  if (error === undefined) return;
  showProblem(`Not sent: ${error}`);
  if (input.value === '') input.value = payload;
}

// --- how others join --------------------------------------------------------------------------------------------------

/** For a POSIX shell. */
const shell = (text) => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** One word of a STOMP destination: what would mean something else there is percent-encoded. */
const word = (text) =>
  text.replace(/[ %.*>:\\]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);

function showOthers() {
  const wanted = room.value.trim();
  const shown = roomFault(wanted) === '' ? wanted : 'lobby';
  const topic = `chat/${shown}`;
  const host = location.hostname.replace(/^\[|\]$/g, '');
  const link = new URL(location.href);
  link.hash = encodeURIComponent(shown);
  byId('topic').textContent = topic;
  byId('mqtt-pub').textContent = `mosquitto_pub -h ${host} -t ${shell(topic)} -m hello`;
  byId('mqtt-sub').textContent = `mosquitto_sub -h ${host} -t ${shell(topic)}`;
  byId('stomp').textContent =
    `# to ${location.hostname}:61613, after CONNECT\nSEND\ndestination:/topic/chat.${word(shown)}\nfrom:ledger\n\nhello^@`;
  byId('link').textContent = link.href;
}

// --- the page ---------------------------------------------------------------------------------------------------------

byId('join-form').addEventListener('submit', (event) => {
  event.preventDefault();
  join();
});
byId('send-form').addEventListener('submit', (event) => {
  event.preventDefault();
  send();
});
room.addEventListener('input', showOthers);
window.addEventListener('hashchange', () => {
  const wanted = roomOfAddress();
  if (wanted === '' || wanted === joined) return;
  room.value = wanted;
  showOthers();
  if (joined !== '') join();
});
window.addEventListener('online', () => client?.hurry());

room.value = roomOfAddress() || 'lobby';
name.value = recalled('localStorage', 'trimaran.name');
byId('others').open = window.matchMedia('(min-width: 52rem)').matches;
showOthers();
if (recalled('sessionStorage', 'trimaran.joined') === room.value && name.value !== '') join();
