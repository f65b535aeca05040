// The page's DOM: state in, elements out.

export const $ = (id) => document.getElementById(id);

/** Makes an element. Keys of `props` are properties; `data`, `aria` and `class` are what they say. */
export function el(tag, { class: className, data, aria, ...props } = {}, ...children) {
  const e = Object.assign(document.createElement(tag), props);
  if (className) e.className = className;
  for (const [k, v] of Object.entries(data ?? {})) e.dataset[k] = v;
  for (const [k, v] of Object.entries(aria ?? {})) e.setAttribute(`aria-${k}`, v);
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

/** "47 ms", "1.2 s", "3 min". */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}

/** Indigo, woad, madder, ochre, olive, walnut, lichen: hue and saturation of old dyes. */
const DYES = [[226, '42%'], [203, '46%'], [8, '48%'], [38, '52%'], [88, '26%'], [24, '28%'], [322, '22%'], [172, '30%']];

/** A small piece of cloth that tells people and rooms apart. */
export function swatch(id) {
  let hash = 2166136261;
  for (const c of id) hash = Math.imul(hash ^ c.codePointAt(0), 16777619) >>> 0;
  const e = el('span', { class: 'swatch', aria: { hidden: 'true' } });
  const [hue, saturation] = DYES[(hash >>> 3) % DYES.length];
  e.style.setProperty('--hue', String(hue));
  e.style.setProperty('--saturation', saturation);
  e.style.setProperty('--turn', `${[-45, 45, 90, 0][(hash >>> 11) % 4]}deg`);
  e.style.setProperty('--step', `${2 + ((hash >>> 17) % 2)}px`);
  return e;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

function timeOf(ts) {
  const date = new Date(ts);
  const today = date.toDateString() === new Date().toDateString();
  return el('time', { dateTime: date.toISOString(), title: calendar.format(date), textContent: (today ? clock : calendar).format(date) });
}

/** How long a message took, as its own element. */
function measured(item) {
  if (item.ms === undefined) return null;
  const late = item.late ? ' after its publish, caught up' : '';
  const own = item.rtt === undefined ? '' : `, reply ${duration(item.rtt)}`;
  return el('span', {
    class: item.late ? 'took late' : 'took',
    data: { testid: 'delivery', ms: Math.round(item.ms) },
    title: item.rtt === undefined
      ? 'From the core’s clock to this page'
      : 'From the core’s clock to this page; reply: from send to the core’s answer, here',
    textContent: duration(item.ms) + late + own,
  });
}

function body(data) {
  if (typeof data?.text === 'string') return el('p', { class: 'text', textContent: data.text });
  return el('pre', { class: 'text', textContent: JSON.stringify(data, null, 1) ?? '' });
}

/**
 * One line of a room.
 * @param {import('./store.js').Item} item
 * @param {{ch: string, me: string, nameOf: (id: string) => string, retry: (item: any) => void}} o
 */
export function line(item, o) {
  if (item.kind === 'gap') {
    return el('li', { class: 'gap', data: { key: item.key, seq: item.seq, testid: 'gap' } },
      `Frames ${item.seq} to ${item.to} are no longer kept by Selvedge. The application’s archive has them.`);
  }
  const known = item.from !== undefined;
  const author = el('b', { class: known ? 'author' : 'author nobody', textContent: known ? o.nameOf(item.from) : 'backend' });
  if (known) author.dataset.user = item.from;
  const head = el('div', { class: 'head' }, author, timeOf(item.ts));
  const li = el('li', { class: 'message' }, swatch(item.from ?? ''), head, body(item.data));
  li.dataset.key = item.key;
  li.dataset.from = item.from ?? '';
  li.dataset.ts = item.ts;
  if (item.from === o.me) li.classList.add('own');
  if (item.kind === 'pending') {
    li.classList.add('pending');
    li.dataset.testid = 'pending';
    head.append(item.error
      ? el('span', { class: 'failed' }, `Not sent: ${item.error} `, el('button', { type: 'button', class: 'quiet', textContent: 'Try again', onclick: () => o.retry(item) }))
      : el('span', { class: 'took', textContent: 'sending…' }));
    return li;
  }
  Object.assign(li.dataset, { testid: 'message', seq: item.seq, ch: o.ch });
  head.append(...[measured(item)].filter(Boolean));
  return li;
}

/** Lines of one author that follow each other closely share one head. */
export function group(li) {
  for (const e of [li, li.nextElementSibling]) {
    const before = e?.previousElementSibling;
    e?.classList.toggle('more', Boolean(before
      && e.classList.contains('message') && before.classList.contains('message')
      && e.dataset.from === before.dataset.from && e.dataset.ts - before.dataset.ts < 120_000));
  }
}

/** The list of rooms; keeps focus where it was. */
export function roomList(list, rooms, openId, open) {
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.room : undefined;
  list.replaceChildren(...rooms.map((room) => {
    const unread = room.unread
      ? el('span', { class: 'dot', data: { testid: 'unread' } }, el('span', { class: 'hidden', textContent: 'unread' }))
      : null;
    const button = el('button', {
      type: 'button', onclick: () => open(room.id), data: { testid: `room-${room.id}`, room: room.id },
      aria: room.id === openId ? { current: 'true' } : {},
    }, swatch(room.ch), el('span', { class: 'name', textContent: room.name }), unread);
    return el('li', {}, button);
  }));
  if (rooms.length === 0) list.append(el('li', { class: 'hint', textContent: 'You are in no room. Join one below.' }));
  if (focused !== undefined) [...list.querySelectorAll('button')].find((b) => b.dataset.room === focused)?.focus();
}

/** The members of a room, in the order of their ids, as the pages come; keeps focus where it was. */
export function memberList(list, ids, me, nameOf, open) {
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.user : undefined;
  list.replaceChildren(...ids.map((id) =>
    el('li', {}, el('button', { type: 'button', data: { user: id }, onclick: () => open(id) },
      swatch(id), el('span', { class: 'name', dir: 'auto', textContent: nameOf(id) }),
      id === me ? el('span', { class: 'muted', textContent: 'you' }) : null))));
  if (focused !== undefined) [...list.querySelectorAll('button')].find((b) => b.dataset.user === focused)?.focus();
}
