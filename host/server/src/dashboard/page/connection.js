// Requests to the service, the token that they carry, and the stream of events.

import { byId, duration, setText, time } from '/dashboard/format.js';

const TOKEN = 'media-cache-token';
const LONGEST_PAUSE = 15;
// The service sends something every second.
const SILENCE = 10_000;

// An error of the service: a problem document, if it sent one.
export class ServiceError extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? `the service answered ${status}`);
    this.status = status;
    this.code = problem?.code;
  }
}

let asking = null;

function token() {
  return sessionStorage.getItem(TOKEN);
}

function headers() {
  return token() ? { authorization: `Bearer ${token()}` } : {};
}

// Asks for the token, once for all requests that need it.
function askForToken(why) {
  asking ??= new Promise((resolve) => {
    setText('token-why', why);
    const dialog = byId('token-dialog');
    byId('token').value = '';
    dialog.addEventListener(
      'close',
      () => {
        asking = null;
        const entered = byId('token').value.trim();
        byId('token').value = '';
        if (entered) sessionStorage.setItem(TOKEN, entered);
        byId('forget-token').hidden = !token();
        resolve();
      },
      { once: true },
    );
    dialog.showModal();
  });
  return asking;
}

// Sends a request, and asks for a token if the service requires one. Returns the response if it is successful.
async function send(path, options = {}) {
  for (;;) {
    const used = token();
    const response = await fetch(path, { ...options, headers: headers(), cache: 'no-store', credentials: 'omit' });
    if (response.ok) return response;
    const problem = await response.json().catch(() => null);
    if (response.status !== 401) throw new ServiceError(response.status, problem);
    if (token() === used) {
      sessionStorage.removeItem(TOKEN);
      await askForToken(used ? 'The service does not accept this token.' : 'This service requires a token for administration.');
    }
  }
}

export async function getJson(path) {
  return (await send(path)).json();
}

export async function getBlob(path) {
  return (await send(path)).blob();
}

// Sends a request that changes something. Returns the JSON of the response, if it has any.
export async function change(method, path, body) {
  const response = await send(path, { method, body });
  return response.status === 204 ? null : response.json();
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function report(text) {
  const banner = byId('connection');
  document.body.classList.toggle('stale', Boolean(text));
  if (banner.textContent !== text) banner.textContent = text;
  banner.hidden = !text;
}

// Reads one stream to its end, and passes on its events.
async function readStream(handlers, alive) {
  const abort = new AbortController();
  let watchdog;
  const heard = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => abort.abort(), SILENCE);
  };
  try {
    const response = await send('/dashboard/events', { signal: abort.signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      heard();
      const { done, value } = await reader.read();
      if (done) return;
      const events = (text + value).split('\n\n');
      text = events.pop();
      for (const event of events) {
        const [name, data] = event.split('\n').map((line) => line.slice(line.indexOf(': ') + 2));
        alive();
        handlers[name]?.(JSON.parse(data));
      }
    }
  } finally {
    clearTimeout(watchdog);
    abort.abort();
  }
}

// Reads events for as long as the page is open. Reconnects after a restart of the service, less and less often, and says so.
export async function listen(handlers) {
  byId('forget-token').hidden = !token();
  byId('forget-token').addEventListener('click', () => {
    sessionStorage.removeItem(TOKEN);
    location.reload();
  });
  let attempts = 0;
  let lastHeard = null;
  const alive = () => {
    attempts = 0;
    lastHeard = Date.now() / 1000;
    report('');
  };
  for (;;) {
    let why = '';
    try {
      await readStream(handlers, alive);
    } catch (error) {
      why = error instanceof ServiceError ? `The service refuses the connection: ${error.message}.` : 'The service does not answer.';
    }
    // A stream that ended without an error is renewed at once.
    if (!why && attempts === 0) {
      attempts = 1;
      await pause(200);
      continue;
    }
    const seconds = Math.min(LONGEST_PAUSE, 2 ** attempts);
    attempts += 1;
    const since = lastHeard ? ` These figures are from ${time(lastHeard)}.` : '';
    report(`${why || 'The connection ended.'}${since} Trying again every ${duration(seconds)}.`);
    await pause(seconds * 1000);
  }
}
