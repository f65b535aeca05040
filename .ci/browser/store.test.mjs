// The demo's state, where history, live messages and gaps meet.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

// As a browser takes it: the page's folder has no package.json to say that it is a module.
const load = (name) => {
  const source = readFileSync(new URL(`../../simulations/dev/web/${name}`, import.meta.url), 'utf8');
  return import(`data:text/javascript,${encodeURIComponent(source)}`);
};
const { Room, gapItem, messageItem } = await load('store.js');
const { Names } = await load('names.js');

const room = () => new Room({ id: 'a', member_count: 2, data: { name: 'A' } });
const message = (seq) => messageItem({ seq, from: 'u1', ts: 0, data: { text: `m${seq}` } });
const seqs = (r) => r.items.map((i) => i.seq);

test('history fills in around what came live, each message once', () => {
  const r = room();
  for (const seq of [30, 40]) assert.ok(r.add(message(seq)));
  for (const seq of [10, 20, 30, 40]) r.add(message(seq));
  assert.deepEqual(seqs(r), [10, 20, 30, 40]);
  assert.equal(r.add(message(20)), undefined);
});

test('a gap stands before the first message after it', () => {
  const r = room();
  r.add(message(10));
  r.add(message(40));
  r.add(gapItem({ from: 11, to: 35 }));
  assert.deepEqual(r.items.map((i) => i.kind), ['message', 'gap', 'message']);
  assert.equal(r.oldest, 10);
});

test('what is too much goes, oldest first, and can be loaded again', () => {
  const r = room();
  for (let seq = 1; seq <= 1001; seq++) r.add(message(seq));
  assert.deepEqual(r.trim().map((i) => i.seq), [1]);
  assert.equal(r.more, true);
});

test('a pending message is settled once', () => {
  const r = room();
  const item = r.send('m1', 'u1', { text: 'x' });
  assert.equal(r.settle('m1'), item);
  assert.equal(r.settle('m1'), undefined);
});

test('a room that may have holes by now is read again', () => {
  const r = room();
  r.add(message(10));
  Object.assign(r, { loaded: true, more: true });
  r.forget();
  assert.deepEqual([r.items, r.loaded, r.more, r.oldest], [[], false, false, undefined]);
  r.rename({ name: 'B' });
  assert.equal(r.name, 'B');
  r.rename({});
  assert.equal(r.name, 'a');
});

/** Documents at an edge that may be away. */
function people() {
  const world = { docs: {}, asked: [], unwatched: [], away: false };
  world.names = new Names({
    object: (key) => world.docs[key],
    watch: async (keys) => {
      world.asked.push(keys);
      if (world.away) throw new Error('away');
    },
    unwatch: async (keys) => void world.unwatched.push(...keys),
  });
  return world;
}

test('names are watched once, together, and again after a failure', async () => {
  const w = people();
  w.away = true;
  assert.equal(w.names.of('u1') + w.names.of('u2') + w.names.of('u1'), 'u1u2u1');
  await new Promise(setImmediate);
  w.away = false;
  w.docs['user:u1'] = { v: 1, data: { name: 'Ada' } };
  assert.equal(w.names.of('u1'), 'Ada');
  await new Promise(setImmediate);
  w.names.of('u1');
  await new Promise(setImmediate);
  assert.deepEqual(w.asked, [['user:u1', 'user:u2'], ['user:u1']]);
});

test('a name that was seen stays when its document can not be seen any more', () => {
  const w = people();
  w.docs['user:u1'] = { v: 1, data: { name: 'Ada' } };
  w.names.of('u1');
  delete w.docs['user:u1'];
  assert.equal(w.names.of('u1'), 'Ada');
  assert.equal(w.names.known('u2'), undefined);
});

test('no more is watched than an edge takes; what is gone from the screen makes room', async () => {
  const w = people();
  for (let i = 0; i < 900; i++) w.names.of(`p${i}`);
  await new Promise(setImmediate);
  assert.equal(w.asked.flat().length, 800);
  w.names.clear();
  assert.equal(w.unwatched.length, 800);
  w.names.of('p899');
  await new Promise(setImmediate);
  assert.deepEqual(w.asked.at(-1), ['user:p899']);
});
