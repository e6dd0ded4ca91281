// The summary, the hit ratio over time, the sources of responses, latencies and hosts.

import { drawRatios } from '/dashboard/charts.js';
import { bar, bound, byId, bytes, count, date, duration, element, fillTable, percent, setText, short, time } from '/dashboard/format.js';

// Samples of a period, and how many of them one point of the chart combines: 30 seconds, or five minutes.
const PERIODS = {
  recent: { seconds: 900, limit: 181, combined: 6, format: (at) => time(at).slice(0, 5) },
  day: { seconds: 86_400, limit: 289, combined: 1, format: (at) => time(at).slice(0, 5) },
};

const samples = { recent: [], day: [] };
let period = 'recent';
let pending = false;

export function startOverview() {
  for (const radio of document.querySelectorAll('input[name=period]')) {
    radio.addEventListener('change', () => {
      period = radio.value;
      drawHistory();
    });
  }
  new ResizeObserver(() => {
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => {
      pending = false;
      drawHistory();
    });
  }).observe(byId('ratio-chart').parentElement);
}

export function showHistory(history) {
  samples.recent = history.recent;
  samples.day = history.day;
  drawHistory();
}

function addSamples(newest) {
  let changed = false;
  for (const name of ['recent', 'day']) {
    const [sample, list] = [newest[name], samples[name]];
    if (!sample || list.at(-1)?.[0] === sample[0]) continue;
    list.push(sample);
    if (list.length > PERIODS[name].limit) list.shift();
    changed ||= name === period;
  }
  if (changed) drawHistory();
}

// The hit ratios between two samples; null if there were no requests.
function ratios(before, after) {
  const [memory, disk, origin, memoryBytes, diskBytes, originBytes] = after.slice(1).map((value, at) => value - before[at + 1]);
  const share = (hits, misses) => (hits + misses > 0 ? hits / (hits + misses) : null);
  return { at: after[0], requests: share(memory + disk, origin), bytes: share(memoryBytes + diskBytes, originBytes), count: memory + disk + origin };
}

function drawHistory() {
  const { seconds, combined, format } = PERIODS[period];
  const list = samples[period];
  const picked = list.filter((_, at) => (list.length - 1 - at) % combined === 0);
  const points = picked.slice(1).map((sample, at) => ratios(picked[at], sample));
  const to = list.at(-1)?.[0] ?? Date.now() / 1000;
  const line = (kind) => ({ kind, points: points.map((point) => ({ at: point.at, value: point[kind] })) });
  const now = points.findLast((point) => point.count > 0);
  const label = now
    ? `Hit ratio over the last ${duration(seconds)}. Most recently ${percent(now.requests)} of requests and ${percent(now.bytes)} of bytes.`
    : `Hit ratio over the last ${duration(seconds)}. There were no requests.`;
  drawRatios(byId('ratio-chart'), { from: to - seconds, to, lines: [line('requests'), line('bytes')], label, formatTime: format });
  const columns = [{ name: 'Until' }, { name: 'Requests', number: true }, { name: 'Hit ratio, requests', number: true }, { name: 'Hit ratio, bytes', number: true }];
  const rows = points.slice(-48).reverse().map((point) => [time(point.at), count(point.count), percent(point.requests), percent(point.bytes)]);
  fillTable(byId('ratio-table'), columns, rows);
}

export function showOverview(state) {
  addSamples(state.samples);
  const { cache, sources, savings } = state;
  showHealth(state);
  const [memory, disk, origin] = sources.requests;
  const [memoryBytes, diskBytes, originBytes] = sources.bytes;
  const [requests, total] = [memory + disk + origin, memoryBytes + diskBytes + originBytes];
  setText('request-hit-ratio', percent(memory + disk, requests));
  setText('request-hit-note', `of ${short(requests)} requests`);
  setText('byte-hit-ratio', percent(memoryBytes + diskBytes, total));
  setText('byte-hit-note', `of ${bytes(total)} sent`);
  setText('saved-requests', short(savings.requests));
  setText('saved-bytes', bytes(savings.bytes));
  setText('saved-time', duration(savings.waiting_seconds));
  const estimate = savings.waiting_seconds == null ? 'unknown until there is a miss' : `estimate: a miss takes ${duration(savings.mean_miss_seconds)}`;
  setText('saved-time-note', estimate);
  showSources(state, requests, total);
  showLatencies(state.latencies);
  showHosts(state.downloads);
  showTier(state.tier);
  if (cache?.stats) showCache(cache.stats.media_cache);
  setText('updated', `Last update ${time(state.at)}.`);
}

const HEALTH = { storing: 'Storing', recovering: 'Recovering', degraded: 'Degraded' };

function showHealth(state) {
  const health = state.cache?.health;
  const name = health?.state ?? (state.cache ? 'degraded' : 'recovering');
  const reason = health?.reason ?? state.cache?.error;
  const since = health?.since ? ` since ${date(health.since)}` : '';
  const text = state.cache ? `${HEALTH[name] ?? name}${since}${reason ? `: ${reason}` : ''}` : 'Loading the directory';
  byId('health').dataset.state = name;
  setText('health-text', text);
  setText('about', `version ${state.version}, up ${duration(Math.floor(state.at - state.since))}`);
}

function showCache(cache) {
  setText('entry-count', count(cache.total_entries));
  setText('entry-note', `${bytes(cache.total_bytes)} of media`);
  setText('disk-bytes', bytes(cache.disk_bytes));
  setText('disk-note', `of ${bytes(cache.max_disk_bytes)}`);
  setText('memory-bytes', bytes(cache.memory_bytes));
  setText('memory-note', `of ${bytes(cache.max_memory_bytes)}, ${count(cache.in_memory_entries)} entries`);
  setText('totals', `Counted across restarts: ${count(cache.hits)} hits and ${count(cache.misses)} misses, a hit ratio of ${percent(cache.hits, cache.hits + cache.misses)}.`);
}

function showSources({ sources: { requests, bytes: sent }, tier }, allRequests, allBytes) {
  const columns = [{ name: 'Source' }, { name: 'Requests', number: true }, { name: 'Share', number: true }, { name: 'Bytes', number: true }, { name: 'Share', number: true }];
  const names = ['memory', 'disk', tier ? 'origin or second tier' : 'origin'];
  const rows = names.map((name, at) => [
    element('span', {}, name),
    count(requests[at]),
    element('span', { class: 'with-bar' }, bar(requests[at] / allRequests, 'requests'), percent(requests[at], allRequests)),
    bytes(sent[at]),
    element('span', { class: 'with-bar' }, bar(sent[at] / allBytes, 'bytes'), percent(sent[at], allBytes)),
  ]);
  fillTable(byId('sources'), columns, rows, [names, requests, sent]);
}

function showLatencies(latencies) {
  const columns = [{ name: 'Kind' }, { name: 'Count', number: true }, { name: 'Mean', number: true }, { name: 'Median', number: true }, { name: '90 %', number: true }, { name: '99 %', number: true }];
  const quantile = (row, key) => (row.count === 0 ? bound(null) : row[key] == null ? 'longer' : bound(row[key]));
  const rows = latencies.map((row) => [row.name, count(row.count), duration(row.mean), ...['p50', 'p90', 'p99'].map((key) => quantile(row, key))]);
  fillTable(byId('latencies'), columns, rows);
}

function showHosts({ hosts, tracked, replaced }) {
  const dropped = replaced > 0 ? ` Only the ${count(tracked)} busiest hosts are tracked; rarer ones may be undercounted.` : '';
  const note = hosts.length === 0 ? 'Nothing was downloaded yet.' : `The ${hosts.length === 1 ? 'host' : `${hosts.length} hosts`} with the most downloads since the service started.${dropped}`;
  setText('hosts-note', note);
  byId('hosts').parentElement.hidden = hosts.length === 0;
  const columns = [{ name: 'Host' }, { name: 'Downloads', number: true }, { name: 'Failed', number: true }, { name: 'Bytes', number: true }, { name: 'Mean time', number: true }, { name: 'Last failure' }];
  const rows = hosts.map((host) => [
    host.host,
    count(host.downloads),
    host.failures ? `${count(host.failures)} (${percent(host.failures, host.downloads)})` : '0',
    bytes(host.bytes),
    duration(host.mean_seconds),
    host.last_failure ? `${host.last_failure.kind}, ${time(host.last_failure.at)}` : '',
  ]);
  fillTable(byId('hosts'), columns, rows);
}

// The second tier, if there is one: whether it can be used, and what it did since the service started.
function showTier(tier) {
  for (const id of ['tier', 'tier-link']) byId(id).hidden = !tier;
  if (!tier) return;
  const { lookups, uploads } = tier;
  setText('tier-location', tier.location);
  const problems = [['reads', 'Reading'], ['writes', 'Writing']].map(([key, name]) => {
    const { state, since, reason } = tier[key];
    const works = state === 'available';
    setText(`tier-${key}`, works ? 'works' : 'fails');
    return works ? '' : `${name} has failed since ${date(since)}: ${reason}. The service tries again by itself.`;
  });
  setText('tier-problem', problems.filter(Boolean).join(' '));
  byId('tier-problem').hidden = !problems.some(Boolean);
  setText('tier-hits', short(lookups.hit));
  setText('tier-hits-note', `${bytes(tier.received_bytes)} received`);
  setText('tier-misses', short(lookups.miss));
  setText('tier-errors', short(lookups.failed + lookups.damaged));
  setText('tier-errors-note', `${count(lookups.paused + lookups.busy)} lookups omitted, ${count(lookups.refused)} refused`);
  setText('tier-queued', count(tier.queued));
  setText('tier-uploads-note', `${count(uploads.stored)} stored, ${count(uploads.failed)} failed, ${count(uploads.dropped)} dropped`);
}
