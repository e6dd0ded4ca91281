// A component of the operator's own: it is checked first, and can be swapped in only if it passes.

import { change } from '/dashboard/connection.js';
import { byId, duration, element } from '/dashboard/format.js';
import { run, say } from '/dashboard/policies.js';

// The number of the newest check: the verdicts of older ones are not shown.
let newest = 0;

export function startUpload() {
  const [drop, input] = [byId('drop'), byId('upload-file')];
  input.addEventListener('change', () => check(input.files[0]));
  byId('upload-form').addEventListener('submit', (event) => event.preventDefault());
  byId('upload-options').addEventListener('change', () => check(input.files[0]));
  drop.addEventListener('dragover', (event) => {
    event.preventDefault();
    drop.classList.add('over');
  });
  drop.addEventListener('dragleave', () => drop.classList.remove('over'));
  drop.addEventListener('drop', (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    if (event.dataTransfer.files.length !== 1) return;
    input.files = event.dataTransfer.files;
    check(input.files[0]);
  });
}

async function check(file) {
  newest += 1;
  const number = newest;
  byId('verdict').replaceChildren();
  if (!file) return;
  const options = byId('upload-options').value.trim();
  say(`Checking ${file.name}. This takes up to two minutes…`);
  try {
    // The bytes that were checked are the ones that are swapped in, even if the file changes.
    const bytes = await file.arrayBuffer();
    const verdict = await change('POST', `/policy/check?${options}`, bytes);
    if (number === newest) show(file.name, verdict, bytes, options);
  } catch (error) {
    if (number === newest) say(`${file.name} cannot be checked: ${error.message}`, true);
  }
}

const ORDER = { failed: 0, untried: 1, passed: 2 };

function show(file, verdict, bytes, options) {
  const name = verdict.name ? `${verdict.name} ${verdict.version}` : file;
  const passed = verdict.checks.filter(({ outcome }) => outcome === 'passed').length;
  const sentence = `${name} ${verdict.passed ? 'passed' : 'failed'}: ${passed} of ${verdict.checks.length} checks in ${duration(verdict.seconds)}.`;
  say(verdict.passed ? sentence : `${sentence} It cannot be swapped in from here.`, !verdict.passed);
  const checks = [...verdict.checks].sort((one, other) => ORDER[one.outcome] - ORDER[other.outcome]);
  const list = element('ul', { class: 'checks' }, ...checks.map(({ check: text, outcome, detail }) =>
    element('li', { class: outcome }, element('strong', {}, `${outcome}: `), text, element('span', { class: 'detail' }, detail))));
  const details = element('details', { open: !verdict.passed }, element('summary', {}, `Verdict on ${name}`), list);
  const parts = [details];
  if (verdict.passed) {
    const button = element('button', { type: 'button', id: 'swap-upload' }, `Swap in ${name}`);
    button.addEventListener('click', () => run(`Swapping in ${name}…`, 'PUT', `/policy?${options}`, bytes));
    parts.unshift(element('p', {}, button));
  }
  byId('verdict').replaceChildren(...parts);
}
