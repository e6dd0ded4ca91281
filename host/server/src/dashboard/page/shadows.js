// The miss ratios of all policies: curves that the service draws, and the same figures as a table.

import { getBlob } from '/dashboard/connection.js';
import { byId, bytes, count, duration, element, fillTable, percent, setText } from '/dashboard/format.js';
import { swapTo } from '/dashboard/policies.js';

// Curves are drawn again at most this often.
const PAUSE = 5000;
const NARROW = 640;

const isDark = matchMedia('(prefers-color-scheme: dark)');
let latest = null;
let drawn = '';
let nextDrawing = 0;
let address = null;

export function startShadows() {
  const redraw = () => {
    drawn = '';
    nextDrawing = 0;
    if (latest) showShadows(latest);
  };
  byId('take-advice').addEventListener('click', () => {
    if (latest?.shadows?.advice) swapTo(latest.shadows.advice.policy);
  });
  isDark.addEventListener('change', redraw);
  addEventListener('resize', () => {
    if (latest && drawn && !drawn.startsWith(style())) redraw();
  });
}

function style() {
  const layout = byId('curves').clientWidth < NARROW ? 'narrow' : 'wide';
  return `theme=${isDark.matches ? 'dark' : 'light'}&layout=${layout}`;
}

export function showShadows(state) {
  latest = state;
  const { shadows } = state;
  const note = explain(shadows);
  setText('shadow-note', note);
  const hasFigures = Boolean(shadows?.shadows?.some((shadow) => shadow.points.some((point) => point.object_miss_ratio != null)));
  byId('curve-scroll').hidden = !hasFigures;
  byId('curve-plot').hidden = !hasFigures || !address;
  showAdvice(shadows?.advice);
  showFacts(shadows);
  if (!hasFigures) return;
  showTable(state);
  draw(shadows);
}

function explain(shadows) {
  if (!shadows) return 'No shadow policies are running, so the active policy cannot be compared with others.';
  if (!shadows.enabled) return `Shadow policies are off: ${shadows.why_not ?? 'no reason is known'}.`;
  const { span } = shadows;
  if (!span || span.windows === 0) return 'Shadow policies are running. Their figures appear when the first window of requests is complete.';
  return `What each policy would have missed over the last ${duration(span.seconds)} (${count(span.requests)} requests), by the space it has.`;
}

function showAdvice(advice) {
  byId('advice').hidden = !advice;
  if (!advice) return;
  setText('advice-text', `${advice.text}.`);
  // A component in a file has to be uploaded.
  byId('take-advice').hidden = advice.is_built_in === false;
  setText('take-advice', `Swap to ${advice.policy}`);
}

function showFacts(shadows) {
  const facts = [];
  if (shadows?.enabled) {
    const { used, allowance, sampling } = shadows;
    if (used && allowance) facts.push(`Shadow policies use ${bytes(used.memory_bytes)} of ${bytes(allowance.memory_bytes)} memory and ${used.cpu_percent} of ${allowance.cpu_percent} % of a processor.`);
    if (sampling) facts.push(sampling.rate === 1 ? 'They see every request.' : `They see ${percent(sampling.rate)} of all URLs, so their figures are estimates.`, ...(sampling.notes ?? []));
    for (const shadow of shadows.shadows.filter((one) => one.state === 'dropped')) facts.push(`${shadow.policy} was dropped: ${shadow.why}.`);
  }
  const list = byId('shadow-facts');
  if (list.dataset.facts === JSON.stringify(facts)) return;
  list.dataset.facts = JSON.stringify(facts);
  list.replaceChildren(...facts.map((fact) => element('li', {}, fact)));
}

function showTable({ shadows, palette }) {
  const columns = [{ name: 'Policy' }, ...shadows.capacities.map(({ factor, bytes: size }) => ({ name: `${bytes(size)}${factor === 1 ? ' (now)' : ''}`, number: true }))];
  const cell = (points, factor) => {
    const point = points.find((one) => one.factor === factor);
    if (point?.object_miss_ratio == null) return percent(null);
    const error = point.object_miss_ratio_error;
    return element('span', {}, percent(point.object_miss_ratio), error ? element('small', {}, ` ±${(100 * error).toFixed(1)}`) : null, element('small', { class: 'second' }, `${percent(point.byte_miss_ratio)} of bytes`));
  };
  const colours = palette[isDark.matches ? 'dark' : 'light'];
  const rows = shadows.shadows.map((shadow, at) => [name(shadow, colours[at % colours.length], at >= colours.length), ...shadows.capacities.map(({ factor }) => cell(shadow.points, factor))]);
  if (shadows.bound.length > 0) rows.push([element('span', {}, swatch(null, false), 'lower bound'), ...shadows.capacities.map(({ factor }) => cell(shadows.bound, factor))]);
  fillTable(byId('curve-table'), columns, rows, [isDark.matches, shadows.shadows, shadows.bound, shadows.capacities]);
}

function name(shadow, colour, isHollow) {
  const note = shadow.is_active ? 'active' : shadow.state === 'counting' ? null : shadow.state;
  return element('span', {}, swatch(colour, isHollow), shadow.policy, note && element('small', { class: 'tag' }, note));
}

function swatch(colour, isHollow) {
  const made = element('span', { class: `swatch ${colour ? '' : 'bound'} ${isHollow ? 'hollow' : ''}`, 'aria-hidden': 'true' });
  if (colour) made.style.color = colour;
  return made;
}

// Draws the curves if their figures, the theme or the width have changed.
async function draw(shadows) {
  const wanted = `${style()} ${JSON.stringify([shadows.shadows, shadows.bound, shadows.live])}`;
  if (wanted === drawn || Date.now() < nextDrawing) return;
  drawn = wanted;
  nextDrawing = Date.now() + PAUSE;
  try {
    const svg = await getBlob(`/dashboard/curves.svg?${style()}`);
    const old = address;
    address = URL.createObjectURL(svg);
    const image = byId('curve-plot');
    image.src = address;
    image.alt = summary(shadows);
    image.hidden = false;
    if (old) URL.revokeObjectURL(old);
  } catch {
    drawn = '';
  }
}

// The plot in words. The table has all figures.
function summary(shadows) {
  const here = shadows.shadows.map((shadow) => [shadow.policy, shadow.points.find((point) => point.factor === 1)?.object_miss_ratio]).filter(([, ratio]) => ratio != null);
  here.sort(([, one], [, other]) => one - other);
  const best = here[0] ? ` At the current capacity, ${here[0][0]} has the lowest miss ratio, ${percent(here[0][1])}.` : '';
  const live = shadows.live?.object_miss_ratio != null ? ` The active policy ${shadows.live.policy} has ${percent(shadows.live.object_miss_ratio)}.` : '';
  return `Object and byte miss ratios of all policies by capacity.${best}${live} The table below has all figures.`;
}
