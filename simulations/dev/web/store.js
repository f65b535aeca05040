// What the page knows: rooms, their messages in order, what is unread.
// Pure state: no DOM, no network.

/** Messages that a room keeps on the page; older ones can be loaded again. */
const KEEP = 1000;

/**
 * One line of a room. `seq` orders them; pending ones have none yet.
 * @typedef {object} Item
 * @property {'message'|'gap'|'pending'} kind
 * @property {string} key stable name of the item within its room
 * @property {number} seq
 * @property {number} [to] gap: the last one gone
 * @property {string} [from] author; absent = not said by the publisher
 * @property {any} [data]
 * @property {number} [ts]
 * @property {string} [msgId]
 * @property {number} [ms] measured from the core's clock to this page
 * @property {boolean} [late] caught up after a cut or a join: ms says how long it waited
 * @property {number} [rtt] own: from send to the core's answer, here
 * @property {string} [error] pending: why it was refused
 */

export class Room {
  /** @type {Item[]} */
  items = [];
  /** @type {Item[]} */
  pending = [];
  /** Something was said that was not on screen. */
  unread = false;
  loaded = false;
  more = false;

  constructor(info) {
    this.update(info);
  }

  update(info) {
    this.id = info.id;
    this.ch = `room:${info.id}`;
    this.rename(info.data);
    this.count = info.member_count ?? 0;
  }

  /** Takes its document. */
  rename(data) {
    this.name = typeof data?.name === 'string' && data.name ? data.name : this.id;
  }

  /** Forgets what was said: there may be holes in it by now. */
  forget() {
    this.items = [];
    this.loaded = false;
    this.more = false;
  }

  /** The oldest position known, to load from. */
  get oldest() {
    return this.items.find((i) => i.kind === 'message')?.seq;
  }

  /**
   * Puts an item in its place. @param {Item} item
   * @returns {Item|undefined} undefined: it was there already
   */
  add(item) {
    let at = this.items.length;
    while (at > 0 && this.items[at - 1].seq > item.seq) at--;
    if (at > 0 && this.items[at - 1].key === item.key) return undefined;
    this.items.splice(at, 0, item);
    return item;
  }

  /** Drops what is too much, oldest first. @returns {Item[]} */
  trim() {
    const gone = this.items.splice(0, Math.max(0, this.items.length - KEEP));
    if (gone.length > 0) this.more = true;
    return gone;
  }

  /** A message being sent. @returns {Item} */
  send(msgId, from, data) {
    const item = { kind: 'pending', key: `pending:${msgId}`, seq: Infinity, msgId, from, data, ts: Date.now() };
    this.pending.push(item);
    return item;
  }

  /** Takes a pending message out. @returns {Item|undefined} */
  settle(msgId) {
    const at = this.pending.findIndex((i) => i.msgId === msgId);
    return at < 0 ? undefined : this.pending.splice(at, 1)[0];
  }
}

/** @param {any} m a message frame @param {{ms?: number, late?: boolean}} [how] @returns {Item} */
export function messageItem(m, how = {}) {
  return { kind: 'message', key: `m:${m.seq}`, seq: m.seq, from: m.from, data: m.data, ts: m.ts, msgId: m.msg_id, ...how };
}

/** @param {any} m a gap @returns {Item} */
export function gapItem(m) {
  return { kind: 'gap', key: `gap:${m.from}-${m.to}`, seq: m.from, to: m.to };
}
