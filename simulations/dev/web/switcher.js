// The quick switcher: rooms that the page knows, and people whom the edge finds
// while somebody types.

import { $, el, swatch } from './view.js';

/** Typing that goes on asks for nothing. */
const PAUSE_MS = 120;
const ROOMS = 5;
const PEOPLE = 8;

/** Case and accents don't count, here as at the edge. */
const fold = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();

/**
 * @param {object} o
 * @param {ReturnType<import('/sdk/selvedge.js').connect>} o.client
 * @param {() => import('./store.js').Room[]} o.rooms
 * @param {(id: string) => void} o.openRoom
 * @param {(id: string) => void} o.openPerson
 * @param {(target: EventTarget, event: string, handler: (e: any) => void) => void} o.listen
 */
export function startSwitcher({ client, rooms, openRoom, openPerson, listen }) {
  const dialog = $('switcher');
  const input = $('sought');
  const list = $('found');
  let people = [];
  let entries = [];
  let timer = 0;
  let turn = 0;
  let at = 0;

  function open() {
    if (dialog.open) return;
    input.value = '';
    people = [];
    dialog.showModal();
    draw();
  }

  function draw() {
    const sought = fold(input.value.trim());
    const named = rooms().filter((r) => [...fold(r.name).split(/\s+/), fold(r.name), fold(r.id)].some((word) => word.startsWith(sought)));
    entries = [
      ...named.slice(0, ROOMS).map((r) => ({ kind: 'room', id: r.id, name: r.name })),
      ...people.map((u) => ({ kind: 'person', id: u.id, name: typeof u.data?.name === 'string' ? u.data.name : u.id })),
    ];
    at = Math.min(at, Math.max(0, entries.length - 1));
    list.replaceChildren(...entries.map((entry, i) => {
      const li = el('li', { id: `found-${i}`, role: 'option', data: { testid: `found-${entry.kind}`, id: entry.id } },
        swatch(entry.kind === 'room' ? `room:${entry.id}` : entry.id),
        el('span', { class: 'name', dir: 'auto', textContent: entry.name }),
        el('span', { class: 'muted', textContent: entry.kind === 'room' ? 'room' : entry.id }));
      li.addEventListener('click', () => take(entry));
      return li;
    }));
    point(at);
    $('found-none').textContent = entries.length > 0 || !sought ? '' : 'Nobody and nothing is called so.';
  }

  function point(i) {
    at = i;
    for (const [n, li] of [...list.children].entries()) li.setAttribute('aria-selected', String(n === at));
    list.children[at]?.scrollIntoView({ block: 'nearest' });
    if (list.children.length > 0) input.setAttribute('aria-activedescendant', `found-${at}`);
    else input.removeAttribute('aria-activedescendant');
  }

  function take({ kind, id }) {
    dialog.close();
    if (kind === 'room') openRoom(id);
    else openPerson(id);
  }

  async function search() {
    const prefix = input.value.trim();
    const mine = ++turn;
    const found = prefix === '' ? { users: [] } : await client.search({ prefix, limit: PEOPLE }).catch(() => ({ users: [] }));
    if (mine !== turn || !dialog.open) return; // something else is sought by now
    people = found.users;
    draw();
  }

  listen($('find'), 'click', open);
  listen(document, 'keydown', (e) => {
    if (e.key.toLowerCase() !== 'k' || !(e.ctrlKey || e.metaKey) || e.altKey || e.shiftKey) return;
    e.preventDefault();
    open();
  });
  listen(dialog, 'click', (e) => e.target === dialog && dialog.close()); // its backdrop
  listen(input, 'input', () => {
    at = 0;
    draw();
    clearTimeout(timer);
    timer = setTimeout(search, PAUSE_MS);
  });
  listen(input, 'keydown', (e) => {
    if (e.isComposing) return;
    const n = list.children.length;
    if (e.key === 'ArrowDown' && n > 0) point((at + 1) % n);
    else if (e.key === 'ArrowUp' && n > 0) point((at + n - 1) % n);
    else if (e.key !== 'Enter') return;
    else if (entries[at]) take(entries[at]);
    e.preventDefault();
  });
}
