// The cursor against a server that keeps the contract in the simplest way: one
// log, rooms that are joined and left, a focus, and sessions that are cut and
// resumed. Whatever the order, each frame comes once, in order, and none is
// missing but those that were withheld when a cut came.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cursor } from './cursor.js';

const ROOMS = ['a', 'b', 'c'];
const channel = (room) => `room:${room}`;

/** Numbers that a seed fixes. */
function dice(seed) {
  let x = seed * 2654435761 + 1;
  const next = () => {
    x = (x + 0x6d2b79f5) | 0;
    let t = Math.imul(x ^ (x >>> 15), 1 | x);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  return { below: (n) => next() % n, of: (list) => list[next() % list.length] };
}

class Server {
  log = []; // seq = index + 1
  members = new Map(); // room -> {from, v}
  v = 0;
  /** What is on its way. */
  out = [];

  publish(room) {
    this.log.push({ room, prev: this.log.findLastIndex((f) => f.room === room) + 1 });
  }
  /** Begins a session, afresh or from a cursor. */
  open(cursor, show) {
    Object.assign(this, { show, pos: cursor ? cursor.at[0] : this.log.length, late: new Map(), skip: new Map(), left: new Map(), out: [] });
    this.base = this.pos;
    if (!cursor) return { resumed: false, cursor: { epoch: 'e', at: { 0: this.pos }, v: this.v } };
    for (const [room, { v }] of this.members) {
      const own = cursor.behind?.[channel(room)];
      if (v > cursor.v) this.announce(room);
      else if (own !== undefined) (this.shows(room) ? this.late : this.left).set(room, own);
    }
    return { resumed: true };
  }
  shows(room) {
    return this.show === null || this.show.includes(room);
  }
  announce(room) {
    const { from, v } = this.members.get(room);
    (this.shows(room) ? this.late : this.left).set(room, from);
    this.out.push({ t: 'joined', ch: channel(room), p: 0, from, v });
  }
  toggle(room) {
    this.v++;
    if (!this.members.has(room)) {
      this.members.set(room, { from: this.log.length, v: this.v });
      return this.announce(room);
    }
    this.members.delete(room);
    for (const rooms of [this.late, this.skip, this.left]) rooms.delete(room);
    this.out.push({ t: 'left', ch: channel(room), v: this.v });
  }
  forward() {
    if (this.pos === this.log.length) return;
    const { room, prev } = this.log[this.pos++];
    if (!this.members.has(room) || this.late.has(room)) return;
    if (!this.shows(room)) this.out.push({ t: 'activity', ch: channel(room), p: 0, seq: this.pos });
    else if (this.pos > (this.skip.get(room) ?? 0)) this.out.push({ t: 'message', ch: channel(room), p: 0, seq: this.pos, prev });
  }
  /** One back frame of a late channel, or that it is live. */
  fill(room) {
    if (!this.late.has(room)) return;
    const upto = this.late.get(room);
    const at = this.log.findIndex((f, i) => f.room === room && i >= upto && i < this.pos);
    if (at >= 0) {
      this.late.set(room, at + 1);
      this.out.push({ t: 'message', ch: channel(room), p: 0, seq: at + 1, prev: this.log[at].prev, back: true });
      return;
    }
    this.late.delete(room);
    this.skip.set(room, upto);
    this.out.push({ t: 'live', ch: channel(room), seq: Math.max(upto, this.pos) });
  }
  watermark() {
    if (this.late.size === 0) this.out.push({ t: 'cursor', at: { 0: this.pos }, v: this.v });
  }
  focus(rooms) {
    const shown = ROOMS.filter((room) => this.shows(room));
    this.show = rooms;
    const late = {};
    for (const room of this.members.keys()) {
      if (shown.includes(room) === this.shows(room)) continue;
      if (this.shows(room)) {
        const at = this.left.get(room) ?? this.base;
        this.left.delete(room);
        this.late.set(room, at);
        late[channel(room)] = at;
      } else {
        this.left.set(room, this.late.get(room) ?? Math.max(this.pos, this.skip.get(room) ?? 0));
        this.late.delete(room);
        this.skip.delete(room);
      }
    }
    this.out.push({ t: 'focused', rooms, late });
  }
  finish() {
    while (this.pos < this.log.length) this.forward();
    for (const room of ROOMS) while (this.late.has(room)) this.fill(room);
    this.watermark();
  }
}

class Reader {
  cursor = new Cursor();
  got = new Map(ROOMS.map((room) => [channel(room), []]));
  /** Up to here, what did not come was withheld, and a cut came after that. */
  waived = new Map();

  hides(room) {
    return this.cursor.focused !== null && !this.cursor.focused.includes(room);
  }
  welcome({ resumed, cursor }) {
    if (resumed) this.cursor.resume();
    else this.cursor.start(cursor);
  }
  take(messages) {
    for (const m of messages) {
      switch (m.t) {
        case 'joined': this.cursor.joined(m); break;
        case 'left': this.cursor.left(m); break;
        case 'live': this.cursor.live(m); break;
        case 'cursor': this.cursor.moved(m); break;
        case 'focused': this.cursor.focus(m.rooms, m.late); break;
        case 'activity':
          assert.ok(this.hides(m.ch.slice(5)), 'activity of a room that is shown');
          this.cursor.place(m.ch, m.p);
          break;
        default: this.frame(m);
      }
    }
  }
  frame(m) {
    const verdict = this.cursor.accept(m);
    assert.notEqual(verdict, 'hole', JSON.stringify([m, this.cursor]));
    if (verdict === 'seen') return;
    const got = this.got.get(m.ch);
    assert.ok(m.seq > (got.at(-1) ?? 0), `${m.ch}: ${m.seq} after ${got}`);
    got.push(m.seq);
  }
  waive() {
    const { at, behind } = this.cursor.toJSON();
    for (const room of ROOMS) {
      if (this.hides(room) && behind?.[channel(room)] === undefined) this.waived.set(room, at[0]);
    }
  }
}

function life(seed) {
  const { below, of } = dice(seed);
  const pickFocus = () => (below(2) === 0 ? null : ROOMS.filter(() => below(2) === 0));
  const server = new Server();
  const reader = new Reader();
  for (let i = below(3); i > 0; i--) server.publish(of(ROOMS));
  const start = server.log.length;
  reader.cursor.focus(pickFocus());
  reader.welcome(server.open(null, reader.cursor.focused));
  const deliver = (n) => reader.take(server.out.splice(0, n));
  for (let i = 0; i < 60; i++) {
    const n = below(100);
    if (n < 30) server.publish(of(ROOMS));
    else if (n < 50) server.forward();
    else if (n < 62) server.fill(of(ROOMS));
    else if (n < 70) server.toggle(of(ROOMS));
    else if (n < 75) server.watermark();
    else if (n < 83) server.focus(pickFocus());
    else if (n < 94) deliver(below(server.out.length + 1));
    else {
      deliver(below(server.out.length + 1)); // the rest is lost
      reader.waive();
      reader.welcome(server.open(reader.cursor.toJSON(), reader.cursor.focused));
    }
  }
  server.finish();
  deliver(Infinity);
  const { behind = {} } = reader.cursor.toJSON();
  for (const room of server.members.keys()) {
    assert.ok(!reader.hides(room) || !(channel(room) in behind), `the cursor waits for ${room}, which is out of focus: ${JSON.stringify(behind)}`);
  }
  server.focus(null); // what was withheld comes
  server.finish();
  deliver(Infinity);
  for (const [room, { from }] of server.members) {
    const floor = Math.max(from, start, reader.waived.get(room) ?? 0);
    const owed = server.log.flatMap((f, i) => (f.room === room && i >= floor ? [i + 1] : []));
    const got = reader.got.get(channel(room));
    assert.deepEqual(owed.filter((seq) => !got.includes(seq)), [], `${room} lacks frames; got ${got}`);
  }
}

test('whatever the order of frames, joins, focus and cuts: each frame once, in order, none missing', () => {
  for (let seed = 1; seed <= 4000; seed++) {
    try {
      life(seed);
    } catch (e) {
      e.message = `seed ${seed}: ${e.message}`;
      throw e;
    }
  }
});
