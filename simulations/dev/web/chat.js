// One session's rooms: what the client hears goes into the store, and from
// there onto the page.

import { startCard } from './card.js';
import { Names } from './names.js';
import { closePanels } from './panels.js';
import { Room, gapItem, messageItem } from './store.js';
import { startSwitcher } from './switcher.js';
import { $, group, line, memberList, roomList } from './view.js';

const PAGE = 50;
const MEMBERS = 25;
/** Members change without telling us: how often an open room asks. */
const MEMBERS_MS = 15_000;
/** Within this of the end, a new message scrolls. */
const NEAR_END_PX = 80;

/**
 * @param {object} o
 * @param {ReturnType<import('/sdk/selvedge.js').connect>} o.client
 * @param {{id: string, name: string}} o.user
 * @param {string} o.room to open first, if the user is in it
 * @param {(id: string) => void} o.opened
 * @param {(ms: number) => void} o.delivered
 * @param {(n: number) => void} o.caughtUp
 */
export function startChat(o) {
  const { client, user } = o;
  /** @type {Map<string, Room>} */
  const rooms = new Map();
  /** Round trips of own messages, by msg_id: the reply and the frame come in any order. */
  const trips = new Map();
  const names = new Names({
    object: (key) => client.object(key),
    watch: (keys) => client.get(keys, { watch: true }),
    unwatch: (keys) => client.unwatch(keys),
  });
  const nameOf = (id) => names.of(id);
  /** @type {Room|undefined} */
  let open;
  let wanted = o.room;
  let members = { ids: [], next: undefined, count: 0 };
  let welcomed = 0;
  let caughtUp = 0;
  const stops = [];

  const byChannel = (ch) => rooms.get(ch.slice('room:'.length));
  const lineOptions = () => ({ ch: open.ch, me: user.id, nameOf, retry });

  const card = startCard({ nameOf, object: (key) => client.object(key), listen });
  startSwitcher({
    client, listen,
    rooms: () => [...rooms.values()],
    openRoom: (id) => show(rooms.get(id)),
    openPerson: card.open,
  });

  /** Every place that shows the name of a person, when it changes. */
  client.on('object', ({ key, data }) => {
    const [kind, id] = [key.slice(0, key.indexOf(':')), key.slice(key.indexOf(':') + 1)];
    if (kind === 'room' && data && rooms.has(id)) {
      const room = rooms.get(id);
      room.rename(data);
      if (room === open) $('room-title').textContent = room.name;
      showRooms();
    }
    if (kind !== 'user') return;
    const name = names.known(id);
    if (!name) return;
    for (const e of document.querySelectorAll('.author')) if (e.dataset.user === id) e.textContent = name;
    if (members.ids.includes(id)) showMembers();
    if (id === user.id) o.renamed(name);
    card.changed(id);
  });

  client.on('welcome', (m) => {
    welcomed = Date.now();
    caughtUp = 0;
    // Frames that were withheld before a cut don't come any more: history has them.
    if (m.resumed) return rooms.forEach((room) => room !== open && room.forget());
    const before = open?.id;
    rooms.clear();
    for (const info of m.rooms) rooms.set(info.id, new Room(info));
    watchRooms(m.rooms);
    if (m.more) loadRooms();
    openRoom(rooms.get(before ?? wanted) ?? rooms.values().next().value);
  });

  client.on('joined', (m) => {
    const known = rooms.get(m.room.id);
    if (known) known.update(m.room);
    else rooms.set(m.room.id, new Room(m.room));
    watchRooms([m.room]);
    if (!open || m.room.id === wanted) openRoom(rooms.get(m.room.id));
    else showRooms();
  });

  client.on('left', (m) => {
    const room = byChannel(m.ch);
    if (!room) return;
    rooms.delete(room.id);
    if (room === open) openRoom(rooms.values().next().value);
    else showRooms();
  });

  client.on('message', (m) => {
    const ms = Math.max(0, Date.now() - m.ts);
    const late = m.back === true || m.ts < welcomed;
    const room = byChannel(m.ch);
    if (!late) o.delivered(ms);
    else if (client.state.resumed && m.ts < welcomed) o.caughtUp(++caughtUp);
    if (!room) return;
    const item = room.add(messageItem(m, { ms, late, rtt: trips.get(m.msg_id) }));
    if (!item) return;
    const mine = m.from === user.id && m.msg_id ? room.settle(m.msg_id) : undefined;
    if (mine) lineOf(mine)?.remove();
    if (room === open) showItem(item, Boolean(mine));
    if (room !== open || document.hidden) mark(room);
    room.trim().forEach((gone) => room === open && lineOf(gone)?.remove());
  });

  // A room that is not on screen says only that there is something.
  client.on('activity', (m) => mark(byChannel(m.ch)));

  function mark(room) {
    if (!room || room.unread) return;
    room.unread = true;
    showRooms();
  }

  client.on('gap', (m) => {
    const room = byChannel(m.ch);
    const item = room?.add(gapItem(m));
    if (item && room === open) showItem(item, false);
  });

  // Rooms

  /** A room that gets another name shows it. */
  function watchRooms(infos) {
    if (infos.length > 0) client.get(infos.map(({ id }) => `room:${id}`), { watch: true }).catch(() => {});
  }

  async function loadRooms() {
    for (let page = { next: '' }; page.next !== undefined;) {
      page = await client.rooms(page.next ? { after: page.next } : {}).catch(() => ({ rooms: [] }));
      for (const info of page.rooms) if (!rooms.has(info.id)) rooms.set(info.id, new Room(info));
    }
    showRooms();
  }

  function showRooms() {
    roomList($('rooms'), [...rooms.values()], open?.id, (id) => show(rooms.get(id)));
    const unread = [...rooms.values()].filter((r) => r.unread).length;
    $('all-unread').hidden = unread === 0;
    $('all-unread').textContent = String(unread);
    $('all-unread').title = `${unread} ${unread === 1 ? 'room' : 'rooms'} unread`;
  }

  /** Opens a room that somebody chose. */
  function show(room) {
    if (!room) return;
    closePanels();
    openRoom(room);
    $('text').focus();
  }

  function openRoom(room) {
    open = room;
    names.clear();
    if (room) {
      wanted = '';
      room.unread = false;
      o.opened(room.id);
      // Full frames of what is on screen. What was withheld comes now.
      client.focus([room.id]).catch((e) => console.warn(`focus: ${e.message}`));
    }
    $('room-title').textContent = room?.name ?? 'No room';
    $('leave').hidden = !room;
    $('compose').hidden = !room;
    members = { ids: [], next: undefined, count: room?.count ?? 0 };
    showRooms();
    showMembers();
    showAll();
    if (!room) return;
    loadMembers(room);
    if (!room.loaded) loadHistory(room);
  }

  async function loadHistory(room) {
    const before = room.oldest;
    $('earlier').disabled = true;
    try {
      // What arrived live stays measured; history fills in around it.
      const { frames } = await client.history(room.ch, { limit: PAGE, ...(room.loaded && before && { before }) });
      const first = !room.loaded;
      for (const m of frames) room.add(messageItem(m));
      room.loaded = true;
      room.more = frames.length >= PAGE;
      if (room !== open) return;
      const height = $('scroll').scrollHeight;
      showAll();
      if (!first) $('scroll').scrollTop += $('scroll').scrollHeight - height - $('scroll').scrollTop;
    } catch (e) {
      if (room === open) showEmpty(`History could not be read: ${e.message}`);
    } finally {
      $('earlier').disabled = false;
    }
  }

  // Members

  /** Reads as many as are shown, or a page more. */
  async function loadMembers(room, more = false) {
    const wanted = Math.max(MEMBERS, members.ids.length + (more ? MEMBERS : 0));
    const ids = [];
    let page = { next: '' };
    try {
      while (page.next !== undefined && ids.length < wanted) {
        page = await client.members(room.id, { limit: MEMBERS, ...(page.next && { after: page.next }) });
        ids.push(...page.members);
      }
    } catch {
      return; // what is shown stays
    }
    if (room !== open) return;
    members = { ids, next: page.next, count: page.member_count };
    room.count = page.member_count;
    showMembers();
  }

  function showMembers() {
    const { ids, next, count } = members;
    memberList($('members'), ids, user.id, nameOf, card.open);
    $('room-count').textContent = open && count > 0 ? `${count} ${count === 1 ? 'member' : 'members'}` : '';
    $('members-more').hidden = next === undefined;
    $('members-more').textContent = `Show more of ${count}`;
  }

  // Messages

  const lineOf = (item) => $('messages').querySelector(`[data-key="${CSS.escape(item.key)}"]`);

  /** The whole room at once, not read aloud line by line. */
  function showAll() {
    const list = $('messages');
    list.setAttribute('aria-live', 'off');
    const items = open ? [...open.items, ...open.pending] : [];
    list.replaceChildren(...items.map((item) => line(item, lineOptions())));
    for (const li of list.children) group(li);
    $('earlier').hidden = !open?.more;
    showEmpty(items.length > 0 ? '' : !open ? 'Join a room to see its messages.' : open.loaded ? 'Nothing was said here yet.' : 'Loading…');
    scrollToEnd();
    requestAnimationFrame(() => list.setAttribute('aria-live', 'polite'));
  }

  function showEmpty(text) {
    $('empty').hidden = text === '';
    $('empty').textContent = text;
  }

  function showItem(item, own) {
    const scroll = $('scroll');
    const follow = own || scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_END_PX;
    const list = $('messages');
    let after = list.lastElementChild;
    while (after && (after.dataset.testid === 'pending' || Number(after.dataset.seq) > item.seq)) after = after.previousElementSibling;
    const li = line(item, lineOptions());
    if (item.kind === 'pending') list.append(li);
    else if (after) after.after(li);
    else list.prepend(li);
    group(li);
    showEmpty('');
    if (follow) scrollToEnd();
    else $('newer').hidden = false;
  }

  function scrollToEnd() {
    $('scroll').scrollTop = $('scroll').scrollHeight;
    $('newer').hidden = true;
  }

  function send(data, room = open) {
    const msgId = Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, '0')).join('');
    publish(room, room.send(msgId, user.id, data));
  }

  async function publish(room, item) {
    if (room === open) showItem(item, true);
    const start = performance.now();
    try {
      const { seq } = await client.publish(room.ch, item.data, { msgId: item.msgId });
      const rtt = performance.now() - start;
      if (room !== open && room.settle(item.msgId)) return; // its frame comes when the room is on screen again
      trips.set(item.msgId, rtt);
      const shown = room.items.find((i) => i.seq === seq && i.kind === 'message');
      if (!shown) return; // its frame comes later and finds the trip
      trips.delete(item.msgId);
      shown.rtt = rtt;
      if (room === open) replace(shown);
    } catch (e) {
      item.error = e.message;
      if (room === open) replace(item);
    }
  }

  /** Draws a line again without having it read aloud again. */
  function replace(item) {
    const old = lineOf(item);
    if (!old) return;
    const next = line(item, lineOptions());
    if (item.kind === 'pending') return void (old.replaceWith(next), group(next));
    old.querySelector('.took')?.replaceWith(next.querySelector('.took'));
  }

  function retry(item) {
    const room = open;
    room.settle(item.msgId);
    lineOf(item)?.remove();
    room.pending.push(item);
    delete item.error;
    publish(room, item);
  }

  // Controls

  function listen(target, event, handler) {
    target.addEventListener(event, handler);
    stops.push(() => target.removeEventListener(event, handler));
  }

  listen($('compose'), 'submit', (e) => {
    e.preventDefault();
    const text = $('text').value.replace(/\s+$/, '');
    if (text === '' || !open) return;
    send({ text });
    $('text').value = '';
    fit();
    $('text').focus();
  });
  listen($('text'), 'keydown', (e) => {
    if (e.key !== 'Enter' || e.shiftKey || e.isComposing) return;
    e.preventDefault();
    $('compose').requestSubmit();
  });
  listen($('text'), 'input', fit);
  listen($('members-more'), 'click', () => open && loadMembers(open, true));
  listen($('earlier'), 'click', () => open && loadHistory(open));
  listen($('newer'), 'click', scrollToEnd);
  listen($('scroll'), 'scroll', () => {
    const { scrollHeight, scrollTop, clientHeight } = $('scroll');
    if (scrollHeight - scrollTop - clientHeight < NEAR_END_PX) $('newer').hidden = true;
  });
  listen($('join'), 'submit', (e) => {
    e.preventDefault();
    const id = $('join-room').value.trim();
    if (id) move(id, 'join');
  });
  listen($('leave'), 'click', () => open && move(open.id, 'leave'));
  listen(document, 'visibilitychange', () => {
    if (document.hidden || !open?.unread) return;
    open.unread = false;
    showRooms();
  });

  /** Joins or leaves by the demo's own call; the socket then tells what changed. */
  async function move(id, how) {
    const said = $('join-result');
    said.textContent = '';
    if (how === 'join') wanted = id;
    try {
      const answer = await fetch(`/dev/rooms/${encodeURIComponent(id)}/${how}`, {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ user: user.id }),
      });
      if (!answer.ok) throw new Error((await answer.text()).trim() || `status ${answer.status}`);
      said.textContent = how === 'join' ? `Joined ${id}.` : `Left ${id}.`;
      if (how === 'join') {
        $('join').reset();
        if (rooms.has(id)) openRoom(rooms.get(id));
        closePanels();
      }
    } catch (e) {
      wanted = '';
      said.textContent = `Could not ${how} ${id}: ${e.message}`;
    }
  }

  function fit() {
    const text = $('text');
    text.style.height = 'auto';
    text.style.height = `${Math.min(text.scrollHeight + 2, 160)}px`;
  }

  const timer = setInterval(() => open && !document.hidden && loadMembers(open), MEMBERS_MS);
  stops.push(() => clearInterval(timer));
  openRoom(undefined);
  showEmpty('Connecting…');

  return {
    /** Whether anything is being sent. */
    busy: () => [...rooms.values()].some((room) => room.pending.length > 0),
    stop() {
      for (const stop of stops) stop();
    },
  };
}
