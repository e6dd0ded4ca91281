// Figures as text, and text as elements. Data from the service is only ever set as text.

const numbers = new Intl.NumberFormat('en');
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

export const NONE = '–';

export function count(value) {
  return value == null ? NONE : numbers.format(Math.round(value));
}

// A large count in three digits, such as 12.3 k.
export function short(value) {
  if (value == null) return NONE;
  const power = value < 10_000 ? 0 : Math.min(3, Math.floor(Math.log10(value) / 3));
  return power === 0 ? numbers.format(value) : `${threeDigits(value / 1000 ** power)} ${['', 'k', 'M', 'G'][power]}`;
}

export function bytes(value) {
  if (value == null) return NONE;
  const power = value < 1024 ? 0 : Math.min(5, Math.floor(Math.log2(value) / 10));
  return `${power === 0 ? value : threeDigits(value / 1024 ** power)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][power]}`;
}

function threeDigits(value) {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

export function percent(part, whole = 1) {
  if (part == null || !whole) return NONE;
  const share = (100 * part) / whole;
  return `${share.toFixed(share > 0 && share < 10 ? 2 : 1)} %`;
}

export function duration(seconds) {
  if (seconds == null) return NONE;
  if (Number.isInteger(seconds) && seconds < 120) return `${seconds} s`;
  if (seconds < 1e-3) return `${threeDigits(seconds * 1e6)} µs`;
  if (seconds < 1) return `${threeDigits(seconds * 1e3)} ms`;
  if (seconds < 120) return `${threeDigits(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${threeDigits(seconds / 3600)} h`;
  return `${threeDigits(seconds / 86_400)} days`;
}

// A bound of a histogram, without digits that it does not have.
export function bound(seconds) {
  if (seconds == null) return NONE;
  const [value, unit] = seconds < 1e-3 ? [seconds * 1e6, 'µs'] : seconds < 1 ? [seconds * 1e3, 'ms'] : [seconds, 's'];
  return `≤ ${Number(value.toPrecision(3))} ${unit}`;
}

export function time(seconds) {
  return clock.format(seconds * 1000);
}

export function date(seconds) {
  return day.format(seconds * 1000);
}

export function byId(id) {
  return document.getElementById(id);
}

// Sets the text of an element, if it differs, so that nothing is announced or selected away without need.
export function setText(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

// An element with properties and children. Strings become text.
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === 'class') made.className = value;
    else if (key.includes('-') || key === 'role') made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

const shown = new WeakMap();

// Fills a table, if `data` has changed since the last time. Cells are text or elements.
export function fillTable(table, columns, rows, data = rows) {
  const content = JSON.stringify(data);
  if (shown.get(table) === content) return;
  shown.set(table, content);
  const head = element('tr', {}, ...columns.map(({ name, number }) => element('th', { scope: 'col', class: number ? 'number' : '' }, name)));
  const body = rows.map((row) => element('tr', {}, ...row.map((cell, at) => tableCell(cell, columns[at], at))));
  table.replaceChildren(element('thead', {}, head), element('tbody', {}, ...body));
}

function tableCell(cell, column, at) {
  const properties = { class: column.number ? 'number' : '' };
  if (at > 0) return element('td', properties, cell);
  return element('th', { ...properties, scope: 'row' }, cell);
}

// A bar that shows a share, next to its number.
export function bar(share, kind = '') {
  const filled = element('span', { class: `bar ${kind}`, 'aria-hidden': 'true' });
  filled.style.setProperty('--share', String(Math.max(0, Math.min(1, share || 0))));
  return filled;
}
