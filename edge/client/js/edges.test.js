// Which edge a client starts at, and when it looks for a nearer one.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { pass, setup } from './testing/setup.js';

/**
 * Edges that name each other, in this order, with the time in ms that a request to
 * each takes; Infinity: it never answers, -1: it refuses. Times may be changed.
 */
function world(ms) {
  const asked = [];
  const fetch = (url, { signal }) => new Promise((resolve, reject) => {
    const { host, pathname, search } = new URL(url);
    const name = host.replace('.test', '');
    asked.push(name + pathname + search);
    signal.addEventListener('abort', () => reject(signal.reason));
    if (ms[name] === -1) reject(new TypeError('refused'));
    const edges = Object.keys(ms).map((h) => ({ url: `http://${h}.test` }));
    if (ms[name] >= 0 && ms[name] < Infinity) {
      setTimeout(() => resolve({ ok: true, text: async () => '', json: async () => ({ edges }) }), ms[name]);
    }
  });
  return { fetch, asked, ms };
}

/** Lets time pass, with all that happens meanwhile. */
async function run(ms, step = 5) {
  for (let at = 0; at < ms; at += step) await pass(step);
}

function start(t, ms, options = {}) {
  const w = world(ms);
  const s = setup(t, { nearest: true, fetch: w.fetch, ...options });
  mock.method(performance, 'now', () => Date.now());
  return { ...s, ...w };
}

for (const [what, ms, want] of [
  ['the quickest', { a: 80, b: 50, c: 20, d: 5 }, 'c'],
  ['about as quick: the one that was named first', { a: 25, b: 30, c: 20, d: 5 }, 'a'],
  ['far from all: a quarter is about as quick', { a: 240, b: 200, c: 260 }, 'a'],
  ['a refusal is no answer', { a: 50, b: -1, c: 80 }, 'a'],
  ['one that hangs is not waited for', { a: 20, b: Infinity, c: 80 }, 'a'],
]) {
  test(`nearest: ${what}`, async (t) => {
    const { edge, asked } = start(t, ms);
    await run(1600);
    assert.equal((await edge.dial()).url, `ws://${want}.test/v1/socket`);
    assert.equal(asked.some((a) => a.startsWith('d/v1/ping')), false, 'the fourth is not in the race');
  });
}

test('a client that had to leave the nearest edge comes back to it, and stays', async (t) => {
  const { edge, ms, of } = start(t, { far: 120, near: 10 }, { edges: 'http://far.test' });
  await run(600);
  let s = await edge.dial();
  assert.equal(s.url, 'ws://near.test/v1/socket');
  await s.welcome();
  s.close(1001);
  ms.near = -1;
  await pass(125);
  s = await edge.dial();
  assert.equal(s.url, 'ws://far.test/v1/socket?resume=1');
  await s.welcome();
  await pass(22_400); // random() is 1/2: three quarters of 30 s
  ms.near = 10;
  assert.equal(edge.waiting, 0);
  await run(1000);
  assert.equal(s.closedWith, 1000);
  s = await edge.dial();
  assert.equal(s.url, 'ws://near.test/v1/socket?resume=1');
  assert.equal((await s.welcome()).resume.epoch, 'e1');
  ms.far = 5; // no reason to leave
  await pass(22_400);
  await run(1000);
  assert.equal(s.closedWith, undefined);
  assert.equal(of('state').at(-1).state, 'connected');
});

/** What listens for changes of the network, by event. */
function network(t) {
  const listeners = new Map();
  const had = [globalThis.addEventListener, globalThis.removeEventListener];
  globalThis.addEventListener = (name, f) => listeners.set(name, f);
  globalThis.removeEventListener = (name) => listeners.delete(name);
  t.after(() => {
    [globalThis.addEventListener, globalThis.removeEventListener] = had;
  });
  return listeners;
}

test('on another network the client looks for a nearer edge at once', async (t) => {
  const listeners = network(t);
  const { client, edge, ms } = start(t, { one: 10, two: 120 }, { edges: 'http://one.test' });
  await run(600);
  let s = await edge.dial();
  assert.equal(s.url, 'ws://one.test/v1/socket');
  await s.welcome();
  ms.one = 300;
  ms.two = 20;
  listeners.get('online')();
  await run(1000);
  s = await edge.dial();
  assert.equal(s.url, 'ws://two.test/v1/socket?resume=1');
  client.close();
  assert.equal(listeners.size, 0, 'a closed client hears of nothing');
});

test('who went to a nearer edge forgets where the old one sent it', async (t) => {
  const listeners = network(t);
  const { edge, ms } = start(t, { one: 10, two: 120 }, { edges: 'http://one.test' });
  await run(600);
  let s = await edge.dial();
  await s.welcome();
  s.send({ t: 'goaway', after_ms: 60_000, edges: [{ url: 'http://three.test' }] });
  ms.one = 300;
  ms.two = 20;
  listeners.get('online')();
  await run(1000);
  s = await edge.dial();
  assert.equal(s.url, 'ws://two.test/v1/socket?resume=1');
  await s.welcome();
  s.close(1006);
  await run(250);
  assert.equal((await edge.dial()).url, 'ws://two.test/v1/socket?resume=1');
});

test('an edge that welcomes and cuts again and again is left', async (t) => {
  const { edge } = setup(t, { edges: ['http://a.test', 'http://b.test'] });
  for (let i = 0; i < 3; i++) {
    const s = await edge.dial();
    assert.match(s.url, /a\.test/);
    await s.welcome();
    s.close(1006);
    await pass(125 * 2 ** i);
  }
  assert.match((await edge.dial()).url, /b\.test/);
});

const jwt = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;

for (const [what, options, want] of [
  ['the token names', { token: async () => jwt({ team: 'rot & grün' }) }, '?team=rot%20%26%20gr%C3%BCn'],
  ['the application names', { team: 'green', token: jwt({ team: 'red' }) }, '?team=green'],
  ['nobody names', { token: 'T' }, ''],
]) {
  test(`edges are asked for that of the team that ${what}`, async (t) => {
    const { edge, asked } = start(t, { a: 5, b: 5 }, options);
    await run(200);
    await edge.dial();
    assert.deepEqual(asked.filter((a) => a.includes('edges')), ['a/v1/edges' + want]);
  });
}
