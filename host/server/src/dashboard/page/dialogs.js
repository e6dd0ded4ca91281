// Questions before something is deleted.

import { byId, setText } from '/dashboard/format.js';

let last = Promise.resolve();

// Asks, and returns whether the answer was yes. The focus returns to where it was. A further question waits for the answer to this one.
export function confirm(heading, text, action) {
  last = last.then(() => ask(heading, text, action));
  return last;
}

function ask(heading, text, action) {
  const dialog = byId('confirm-dialog');
  setText('confirm-heading', heading);
  setText('confirm-text', text);
  setText('confirm-yes', action);
  dialog.returnValue = 'cancel';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
