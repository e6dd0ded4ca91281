// Searching and deleting entries.

import { change, getJson } from '/dashboard/connection.js';
import { confirm } from '/dashboard/dialogs.js';
import { byId, bytes, count, date, element, fillTable, setText } from '/dashboard/format.js';

// How many entries a request reads, and after how many results or entries the search pauses.
const PAGE = 1000;
const MAX_FOUND = 100;
const MAX_READ = 100_000;

let search = null;

export function startSearch() {
  byId('search-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const text = byId('search-text').value.trim();
    search = { kind: byId('search-kind').value, text, after: null, read: 0, found: [], isDone: false };
    run(search);
  });
  byId('more').addEventListener('click', () => run(search));
  byId('delete-all').addEventListener('click', deleteAll);
}

// Reads pages until enough entries are found. A newer search ends this one.
async function run(current) {
  const [target, limit] = [current.found.length + MAX_FOUND, current.read + MAX_READ];
  setText('search-status', 'Searching…');
  try {
    while (!current.isDone && current.found.length < target && current.read < limit) {
      const query = new URLSearchParams({ limit: PAGE });
      if (current.text) query.set(current.kind, current.text);
      if (current.after) query.set('after', current.after);
      const page = await getJson(`/entries?${query}`);
      if (current !== search) return;
      current.found.push(...page.entries);
      current.read += PAGE;
      current.after = page.next;
      current.isDone = page.next == null;
    }
    show(current);
  } catch (error) {
    if (current === search) setText('search-status', `The search failed: ${error.message}`);
  }
}

function show(current) {
  const { found, isDone, kind, text, read } = current;
  const what = `${count(found.length)} ${found.length === 1 ? 'entry' : 'entries'}`;
  setText('search-status', isDone ? `${what} found.` : `${what} found so far, among the ${count(read)} least recently used.`);
  byId('found-scroll').hidden = found.length === 0;
  byId('more').hidden = isDone;
  const all = byId('delete-all');
  all.hidden = found.length === 0 || kind === 'contains' || !text;
  setText('delete-all', kind === 'host' ? `Delete all of ${text}` : `Delete all that start with ${text}`);
  const columns = [{ name: 'URL' }, { name: 'Type' }, { name: 'Size', number: true }, { name: 'Hits', number: true }, { name: 'Stored' }, { name: 'Last used' }, { name: 'Delete' }];
  const rows = found.map((entry) => [
    element('span', { class: 'url' }, entry.url),
    entry.mimetype,
    bytes(entry.size),
    count(entry.hits),
    date(entry.stored_at),
    date(entry.accessed_at),
    deleteButton(entry),
  ]);
  fillTable(byId('found'), columns, rows, found);
}

function deleteButton(entry) {
  const button = element('button', { type: 'button', class: 'plain danger', 'aria-label': `Delete ${entry.url}` }, 'Delete');
  button.addEventListener('click', async () => {
    if (!(await confirm('Delete this entry?', entry.url, 'Delete'))) return;
    try {
      await change('DELETE', `/media?url=${encodeURIComponent(entry.url)}`);
      search.found = search.found.filter((other) => other !== entry);
      show(search);
      setText('search-status', `Deleted ${entry.url}`);
      byId('search-text').focus();
    } catch (error) {
      setText('search-status', `The entry was not deleted: ${error.message}`);
    }
  });
  return button;
}

async function deleteAll() {
  const { kind, text } = search;
  const which = kind === 'host' ? `All entries of the host ${text}` : `All entries whose URL starts with ${text}`;
  if (!(await confirm('Delete these entries?', `${which} are deleted, also those that are not listed here.`, 'Delete all'))) return;
  try {
    const { removed } = await change('DELETE', `/entries?${new URLSearchParams({ [kind]: text })}`);
    search = { ...search, found: [], after: null, read: 0, isDone: true };
    show(search);
    setText('search-status', `Deleted ${count(removed)} ${removed === 1 ? 'entry' : 'entries'}.`);
    byId('search-text').focus();
  } catch (error) {
    setText('search-status', `Not all entries were deleted: ${error.message}`);
  }
}
