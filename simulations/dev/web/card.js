// A person's card: the document as it is now, and another name for it.

import { $ } from './view.js';

/**
 * @param {object} o
 * @param {(id: string) => string} o.nameOf
 * @param {(key: string) => {v: number}|undefined} o.object
 * @param {(target: EventTarget, event: string, handler: (e: any) => void) => void} o.listen
 */
export function startCard({ nameOf, object, listen }) {
  const dialog = $('card');
  let shown = '';

  function draw() {
    const doc = object(`user:${shown}`);
    $('card-name').textContent = nameOf(shown);
    $('card-key').textContent = `user:${shown}`;
    $('card-version').textContent = doc ? `version ${doc.v}` : '';
  }

  listen($('card-close'), 'click', () => dialog.close());
  listen(dialog, 'click', (e) => e.target === dialog && dialog.close()); // its backdrop
  listen($('rename'), 'submit', async (e) => {
    e.preventDefault();
    const said = $('rename-result');
    said.textContent = '';
    try {
      const answer = await fetch(`/dev/users/${encodeURIComponent(shown)}/name`, {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ name: $('new-name').value.trim() }),
      });
      if (!answer.ok) throw new Error((await answer.text()).trim() || `status ${answer.status}`);
      dialog.close();
    } catch (error) {
      said.textContent = `Could not rename: ${error.message}`;
    }
  });

  return {
    open(id) {
      shown = id;
      draw();
      $('new-name').value = nameOf(id);
      $('rename-result').textContent = '';
      dialog.showModal();
      $('new-name').select();
    },
    /** A document has changed. */
    changed(id) {
      if (id === shown && dialog.open) draw();
    },
  };
}
