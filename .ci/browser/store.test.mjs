// The demo's state, where history, live messages and gaps meet.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

// As a browser takes it: the page's folder has no package.json to say that it is a module.
const source = readFileSync(new URL('../../simulations/dev/web/store.js', import.meta.url), 'utf8');
const { Names, Room, gapItem, messageItem } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

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

test('names are asked for once, together, and again after a failure', async () => {
  const asked = [];
  let fail = true;
  const names = new Names(async (ids) => {
    asked.push(ids);
    if (fail) throw new Error('away');
    return { u1: 'Ada' };
  }, () => {});
  assert.equal(names.of('u1') + names.of('u2'), 'u1u2');
  await new Promise(setImmediate);
  fail = false;
  names.of('u1');
  await new Promise(setImmediate);
  assert.deepEqual(asked, [['u1', 'u2'], ['u1']]);
  assert.equal(names.of('u1'), 'Ada');
});
