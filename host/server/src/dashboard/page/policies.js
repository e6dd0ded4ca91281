// The active policy: what it is, swaps and rollbacks.

import { change, getJson } from '/dashboard/connection.js';
import { byId, bytes, count, date, duration, element, fillTable, percent, setText } from '/dashboard/format.js';

let policies = [];

// Tells what happened.
export function say(text, isProblem = false) {
  setText('policy-status', text);
  byId('policy-status').classList.toggle('problem', isProblem);
}

export async function startPolicies() {
  byId('swap-form').addEventListener('submit', swap);
  byId('roll-back').addEventListener('click', () => run('Rolling back…', 'POST', '/policy/rollback'));
  byId('swap-name').addEventListener('change', showOptions);
  try {
    ({ policies } = await getJson('/policies'));
    byId('swap-name').replaceChildren(...policies.map(({ name }) => element('option', { value: name }, name)));
    showOptions();
  } catch (error) {
    say(`The built-in policies cannot be listed: ${error.message}`, true);
  }
}

function showOptions() {
  const policy = policies.find(({ name }) => name === byId('swap-name').value);
  setText('swap-doc', policy?.doc ?? '');
  setText('swap', `Swap to ${policy?.name}`);
  const inputs = (policy?.options ?? []).map((option) => {
    const id = `option-${option.name}`;
    const input = element('input', { id, name: option.name, placeholder: option.default, autocomplete: 'off', spellcheck: false, 'aria-describedby': `${id}-doc` });
    return element('p', { class: 'option' }, element('label', { htmlFor: id }, option.name), ' ', input, element('span', { class: 'note', id: `${id}-doc` }, option.doc));
  });
  byId('swap-options').replaceChildren(...inputs);
}

function swap(event) {
  event.preventDefault();
  const query = new URLSearchParams({ name: byId('swap-name').value });
  for (const input of byId('swap-options').querySelectorAll('input')) {
    if (input.value.trim()) query.set(input.name, input.value.trim());
  }
  run(`Swapping to ${byId('swap-name').value}…`, 'PUT', `/policy?${query}`);
}

// Swaps to a built-in policy that is written as on the command line: a name, a colon, and options that are separated by commas.
export function swapTo(spec) {
  const [name, options = ''] = spec.split(/:(.*)/);
  const query = new URLSearchParams({ name });
  for (const option of options.split(',').filter(Boolean)) query.set(...option.split(/=(.*)/, 2));
  return run(`Swapping to ${spec}…`, 'PUT', `/policy?${query}`);
}

// Replaces the policy, and says how it went. Returns whether it worked.
export async function run(text, method, path, body) {
  const buttons = [...byId('policy').querySelectorAll('button')];
  for (const button of buttons) button.setAttribute('aria-disabled', 'true');
  say(text);
  try {
    const policy = await change(method, path, body);
    say(`${policy.name} ${policy.version} is active.`);
    return true;
  } catch (error) {
    say(`Nothing was changed: ${error.message}`, true);
    return false;
  } finally {
    for (const button of buttons) button.removeAttribute('aria-disabled');
  }
}

export function showPolicy({ cache, policy_changes: changes }) {
  const policy = cache?.policy;
  if (policy) {
    setText('policy-name', policy.name);
    setText('policy-options', Object.entries(policy.options).map(([name, value]) => `${name}=${value}`).join(' '));
    setText('policy-doc', policy.doc);
    showFacts(policy);
    const back = byId('roll-back');
    back.hidden = !policy.previous;
    setText('roll-back', `Roll back to ${policy.previous}`);
    byId('policy-fault').hidden = !policy.last_fault;
    if (policy.last_fault) setText('policy-fault', `${policy.last_fault.policy} was disabled ${date(policy.last_fault.at)}: ${policy.last_fault.why}`);
  }
  showChanges(changes);
}

function showFacts(policy) {
  const perCall = policy.calls > 0 ? `, ${duration(policy.seconds / policy.calls)} each` : '';
  const facts = [
    ['Active since', date(policy.since)],
    ['Origin', policy.origin],
    ['Calls', `${count(policy.calls)}${perCall}`],
    ['Memory', bytes(policy.memory_bytes)],
    ['Swaps, fallbacks', `${count(policy.swaps)}, ${count(policy.fallbacks)}`],
  ];
  if (policy.swap) facts.push(['Swapping to', `${policy.swap.to}, ${percent(policy.swap.seeded, policy.swap.entries)} done`]);
  const list = byId('policy-facts');
  const text = JSON.stringify(facts);
  if (list.dataset.facts === text) return;
  list.dataset.facts = text;
  list.replaceChildren(...facts.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))));
}

function showChanges(changes) {
  const table = byId('policy-changes');
  const columns = [{ name: 'Time' }, { name: 'From' }, { name: 'To' }, { name: 'How' }];
  const rows = changes.map(({ at, from, to, cause }) => [date(at), from, to, cause]);
  fillTable(table, columns, rows.length > 0 ? rows : [['none', '', '', '']]);
}
