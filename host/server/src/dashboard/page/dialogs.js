// Questions before something is deleted.

import { byId, setText } from '/dashboard/format.js';

// Asks, and returns whether the answer was yes. The focus returns to where it was.
export function confirm(heading, text, action) {
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
