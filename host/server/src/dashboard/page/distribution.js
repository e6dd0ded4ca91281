// Entries by size, age, type and hits, counted page by page. Very many entries are represented by those that were read first.

import { getJson } from '/dashboard/connection.js';
import { bar, byId, bytes, count, element, fillTable, percent, setText } from '/dashboard/format.js';

const PAGE = 500;
const MAX_ENTRIES = 20_000;
// Other requests are answered between two pages.
const PAUSE = 50;
const MAX_TYPES = 8;

const HOUR = 3600;
const CLASSES = {
  Size: {
    value: (entry) => entry.size,
    classes: [[10 << 10, 'up to 10 KiB'], [100 << 10, 'up to 100 KiB'], [1 << 20, 'up to 1 MiB'], [10 << 20, 'up to 10 MiB'], [100 << 20, 'up to 100 MiB'], [Infinity, 'larger']],
  },
  Age: {
    value: (entry) => Date.now() / 1000 - entry.stored_at,
    classes: [[HOUR, 'up to an hour'], [24 * HOUR, 'up to a day'], [168 * HOUR, 'up to a week'], [720 * HOUR, 'up to 30 days'], [8760 * HOUR, 'up to a year'], [Infinity, 'older']],
  },
  Hits: {
    value: (entry) => entry.hits,
    classes: [[0, 'none'], [1, '1'], [9, '2 to 9'], [99, '10 to 99'], [999, '100 to 999'], [Infinity, 'more']],
  },
};

let isReading = false;

export function startDistribution() {
  byId('read-again').addEventListener('click', read);
  read();
}

function newCounts() {
  const counts = Object.fromEntries(Object.entries(CLASSES).map(([name, { classes }]) => [name, new Map(classes.map(([, label]) => [label, [0, 0]]))]));
  return { ...counts, Type: new Map() };
}

function add(counts, entry) {
  const increase = (map, label) => {
    const [entries, size] = map.get(label) ?? [0, 0];
    map.set(label, [entries + 1, size + entry.size]);
  };
  for (const [name, { value, classes }] of Object.entries(CLASSES)) {
    const measured = value(entry);
    increase(counts[name], classes.find(([limit]) => measured <= limit)[1]);
  }
  increase(counts.Type, entry.mimetype.split(';')[0]);
}

async function read() {
  if (isReading) return;
  isReading = true;
  const counts = newCounts();
  let [total, after] = [0, null];
  try {
    do {
      const page = await getJson(`/entries?limit=${PAGE}${after ? `&after=${after}` : ''}`);
      for (const entry of page.entries) add(counts, entry);
      total += page.entries.length;
      after = page.next;
      if (after) await new Promise((resolve) => setTimeout(resolve, PAUSE));
    } while (after && total < MAX_ENTRIES);
    const note = after ? `A sample: the ${count(total)} least recently used entries. Entries that were used later may differ.` : `All ${count(total)} entries.`;
    setText('distribution-note', note);
    show(counts, total);
  } catch (error) {
    setText('distribution-note', `The entries cannot be read: ${error.message}`);
  } finally {
    isReading = false;
  }
}

function show(counts, total) {
  const parts = Object.entries(counts).map(([name, map]) => {
    const rows = name === 'Type' ? mostFrequent(map) : [...map];
    const table = element('table', { class: 'distribution' });
    const columns = [{ name }, { name: 'Entries', number: true }, { name: 'Share', number: true }, { name: 'Bytes', number: true }];
    const cells = rows.map(([label, [entries, size]]) => entries === 0
      ? [label, element('span', { class: 'empty' }, '0'), '', '']
      : [label, count(entries), element('span', { class: 'with-bar' }, bar(entries / total, 'requests'), percent(entries, total)), bytes(size)]);
    fillTable(table, columns, cells);
    return table;
  });
  byId('distributions').replaceChildren(...parts);
}

function mostFrequent(map) {
  const sorted = [...map].sort(([, [one]], [, [other]]) => other - one);
  const rest = sorted.slice(MAX_TYPES).reduce(([entries, size], [, [more, bytes]]) => [entries + more, size + bytes], [0, 0]);
  return rest[0] > 0 ? [...sorted.slice(0, MAX_TYPES), ['other', rest]] : sorted;
}
