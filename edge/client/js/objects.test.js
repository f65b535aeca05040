import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Objects, behind, chunks } from './objects.js';
import { message } from './testing/fake_edge.js';
import { pass, setup } from './testing/setup.js';

function store(size) {
  const changes = [];
  return { changes, objects: new Objects(size, (change) => changes.push(change)) };
}

test('the higher version wins, and gone is a version, too', () => {
  const { objects, changes } = store();
  for (const [v, data] of [[5, 'e'], [3, 'c'], [5, 'x'], [7, 'g'], [0, {}]]) objects.put('user:1', { v, data });
  assert.deepEqual(objects.get('user:1'), { v: 7, data: 'g' });
  objects.put('user:1', { v: 8, data: null });
  objects.put('user:1', { v: 7, data: 'g' });
  assert.equal(objects.get('user:1'), undefined);
  assert.deepEqual(changes.map(({ v, data }) => [v, data]), [[5, 'e'], [7, 'g'], [8, null]]);
});

test('what is missing is gone, if the edge is sure', () => {
  const { objects, changes } = store();
  objects.put('user:1', { v: 5, data: 'e' });
  objects.learn({ missing: ['user:1'], stale: true });
  assert.equal(objects.get('user:1').v, 5);
  objects.learn({ missing: ['user:1', 'user:2'] });
  assert.equal(objects.get('user:1'), undefined);
  assert.equal(changes.length, 2);
  objects.put('user:1', { v: 4, data: 'd' });
  assert.equal(objects.get('user:1'), undefined);
  objects.put('user:1', { v: 5, data: 'e' }); // to be seen again
  assert.equal(objects.get('user:1').v, 5);
});

test('the least lately used makes room, but nothing that is watched', () => {
  const { objects } = store(3);
  objects.put('w', { v: 1, data: 'w' });
  objects.watch(['w']);
  for (const key of ['a', 'b', 'c', 'd', 'e']) {
    objects.put(key, { v: 1, data: key });
    objects.get('a');
  }
  assert.deepEqual(['w', 'a', 'b', 'c', 'd', 'e'].filter((key) => objects.get(key)), ['w', 'a', 'd', 'e']);
  objects.unwatch(['w']);
  assert.ok(objects.get('w'));
  for (const key of ['f', 'g', 'h']) objects.put(key, { v: 1, data: key });
  assert.equal(objects.get('w'), undefined);
});

test('keys go in portions that an edge takes', () => {
  const keys = Array.from({ length: 2500 }, (_, i) => `user:${i}`);
  assert.deepEqual(chunks(keys).map((c) => c.length), [1000, 1000, 500]);
  const wide = keys.map((key) => key + 'é'.repeat(60));
  for (const c of chunks(wide)) assert.ok(JSON.stringify(c).length + 60 * c.length < 60_000);
  assert.deepEqual(chunks(wide).flat(), wide);
  assert.deepEqual([chunks([]), behind(['a', 'b'], 'b'), behind(['a', 'b'], 'a'), behind(['a'], undefined)], [[], ['b'], [], []]);
});

test('what tells of documents is kept, and told once', async (t) => {
  const { client, edge, of } = setup(t);
  const s = await edge.dial();
  let known;
  client.on('welcome', () => { known = [client.object('room:a')?.data.name, of('object').length]; });
  await s.welcome({ rooms: [{ id: 'a', p: 0, seq: 1, v: 4, data: { name: 'A' } }] });
  assert.deepEqual(known, ['A', 0], 'welcome is told first, and its rooms are there');
  let author;
  client.on('message', (m) => { author = client.object(`user:${m.from}`)?.data.name; });
  s.send({ t: 'object', key: 'user:u2', v: 9, data: { name: 'Bo' } });
  s.send(message(101, { from: 'u2' }));
  assert.equal(author, 'Bo');
  s.send({ t: 'object', key: 'user:u2', v: 9, data: { name: 'Bo' } });
  const found = client.search({ prefix: 'c', room: 'a' });
  const { id, ...asked } = await s.next();
  assert.deepEqual(asked, { t: 'search', prefix: 'c', room: 'a' });
  s.send({ t: 'reply', id, users: [{ id: 'u3', v: 3, data: { name: 'Chi' } }] });
  assert.equal((await found).users[0].id, 'u3');
  s.send({ t: 'joined', ch: 'room:b', p: 0, from: 1, v: 9, room: { id: 'b', p: 0, v: 7, data: { name: 'B' } } });
  s.send({ t: 'object', key: 'user:u2', v: 10, data: null });
  assert.deepEqual(of('object').map((o) => `${o.key} ${o.v} ${o.data?.name}`),
    ['user:u1 1 Ada', 'room:a 4 A', 'user:u2 9 Bo', 'user:u3 3 Chi', 'room:b 7 B', 'user:u2 10 undefined']);
  assert.equal(client.object('user:u2'), undefined);
});

test('a get goes on where a reply had no more room', async (t) => {
  const { client, edge } = setup(t);
  const s = await edge.dial();
  await s.welcome();
  const got = client.get(['user:1', 'user:2', 'user:3']);
  let m = await s.next();
  s.send({ t: 'reply', id: m.id, objects: { 'user:1': { v: 1, data: {} } }, missing: [], next: 'user:2', stale: true });
  m = await s.next();
  assert.deepEqual(m.objects, ['user:2', 'user:3']);
  s.send({ t: 'reply', id: m.id, objects: { 'user:3': { v: 1, data: {} } }, missing: ['user:2'] });
  assert.deepEqual(await got, { objects: { 'user:1': { v: 1, data: {} }, 'user:3': { v: 1, data: {} } }, missing: ['user:2'], stale: true });
});

test('what is watched is asked for again after a cut, and what changed is told', async (t) => {
  const { client, edge, of } = setup(t);
  let s = await edge.dial();
  await s.welcome();
  const reconnect = async () => {
    s.close(1006);
    await pass(250);
    s = await edge.dial();
    await s.welcome({ user: { id: 'u1', v: 0, data: {} } });
  };
  const watched = client.get(['user:1', 'user:2', 'user:3'], { watch: true });
  let m = await s.next();
  assert.equal(m.watch, true);
  s.send({ t: 'reply', id: m.id, objects: { 'user:1': { v: 3, data: 'a' }, 'user:2': { v: 3, data: 'b' } }, missing: ['user:3'] });
  await watched;
  const refused = client.get(['room:x'], { watch: true });
  s.send({ t: 'error', id: (await s.next()).id, code: 'rate_limited', message: 'no' });
  await assert.rejects(refused, { code: 'rate_limited' });
  const unwatched = client.unwatch(['user:2']);
  m = await s.next();
  assert.deepEqual([m.t, m.objects], ['unwatch', ['user:2']]);
  s.send({ t: 'reply', id: m.id });
  await unwatched;

  await reconnect();
  assert.equal((await s.next()).t, 'get');
  await reconnect(); // a connection takes its own question with it
  m = await s.next();
  assert.deepEqual([m.t, m.watch, m.objects, s.unread], ['get', true, ['user:1', 'user:3'], 0]);
  s.send({ t: 'error', id: m.id, code: 'unavailable', message: 'later' });
  await pass(0);
  await pass(5000);
  m = await s.next();
  assert.deepEqual(m.objects, ['user:1', 'user:3']);
  s.send({ t: 'object', key: 'user:3', v: 8, data: 'newest' });
  s.send({ t: 'reply', id: m.id, objects: { 'user:3': { v: 7, data: 'new' } }, missing: ['user:1'] });
  assert.deepEqual(of('object').slice(3), [{ key: 'user:3', v: 8, data: 'newest' }, { key: 'user:1', v: 3, data: null }]);
});

test('another epoch voids the documents, not the wish to watch', async (t) => {
  const { client, edge } = setup(t);
  let s = await edge.dial();
  await s.welcome({ user: { id: 'u1', v: 50, data: { name: 'Old' } } });
  const watched = client.get(['user:u1'], { watch: true });
  s.send({ t: 'reply', id: (await s.next()).id, objects: { 'user:u1': { v: 50, data: { name: 'Old' } } }, missing: [] });
  await watched;
  s.close(4000, 'epoch');
  await pass(125);
  s = await edge.dial();
  await s.welcome({ resumed: false, cursor: { epoch: 'e2', at: { 0: 1, 1: 1 }, v: 1 }, user: { id: 'u1', v: 2, data: { name: 'New' } } });
  assert.deepEqual(client.object('user:u1'), { v: 2, data: { name: 'New' } });
  assert.deepEqual((await s.next()).objects, ['user:u1']);
});

test('the focus is in each hello, and its late channels in the cursor', async (t) => {
  const { client, edge, of, seqs } = setup(t, { focus: ['b'] });
  let s = await edge.dial();
  const reconnect = async () => {
    s.close(1006);
    await pass(500);
    s = await edge.dial();
    return s.welcome();
  };
  assert.deepEqual((await s.welcome({ rooms: [{ id: 'a', p: 0, seq: 50, v: 1, data: {} }] })).focus, ['b']);
  s.send({ t: 'activity', ch: 'room:a', p: 0, seq: 115 });
  assert.equal(of('activity')[0].seq, 115);
  const moved = client.focus(['a']);
  let m = await s.next();
  assert.deepEqual(m.rooms, ['a']);
  assert.equal(client.cursor.behind, undefined);
  s.send(message(120, { ch: 'room:b' }));
  s.send({ t: 'reply', id: m.id, late: { 'room:a': 112 } });
  s.send(message(115, { prev: 112, back: true }));
  await moved;
  const hello = await reconnect();
  assert.deepEqual([hello.focus, hello.resume.behind], [['a'], { 'room:a': 115 }]);
  s.send({ t: 'live', ch: 'room:a', seq: 120 });
  assert.equal(client.cursor.behind, undefined, 'the log of a room without frames is known from welcome');
  const all = client.focus(null);
  m = await s.next();
  assert.equal(m.rooms, null);
  s.send({ t: 'reply', id: m.id });
  await all;
  assert.equal('focus' in (await reconnect()), false);
  assert.deepEqual(seqs(), [120, 115]);
});

test('a focus whose answer is late holds all the same', async (t) => {
  const { client, edge } = setup(t);
  let s = await edge.dial();
  await s.welcome({ ping: 600 });
  const moved = assert.rejects(client.focus(['a']), { code: 'timeout' });
  const m = await s.next();
  await pass(30_000);
  await moved;
  s.send({ t: 'reply', id: m.id, late: { 'room:a': 90 } });
  assert.deepEqual(client.cursor.behind, { 'room:a': 90 });
  s.close(1006);
  await pass(125);
  s = await edge.dial();
  assert.deepEqual((await s.welcome()).focus, ['a']);
  assert.equal(s.unread, 0);
});
