import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { connect } from './selvedge.js';
import { message } from './testing/fake_edge.js';
import { pass, setup } from './testing/setup.js';

test('hello carries the token; messages are emitted once', async (t) => {
  const { edge, seqs, of } = setup(t);
  const s = await edge.dial();
  assert.equal(s.url, 'ws://a.test/v1/socket');
  const hello = await s.welcome();
  assert.deepEqual(hello, { t: 'hello', token: 'T', client: 'selvedge-js/1' });
  s.send(message(101));
  s.send(message(101));
  s.send(message(102));
  assert.deepEqual(seqs(), [101, 102]);
  assert.equal(of('state').at(-1).state, 'connected');
  assert.deepEqual(of('edge').map((e) => e.region), ['us-east']);
});

test('a cut resumes from the cursor, quickly, at the same edge', async (t) => {
  const { edge, seqs, of } = setup(t, { edges: ['http://a.test', 'http://b.test'] });
  let s = await edge.dial();
  await s.welcome();
  s.send(message(101));
  s.close(1006);
  assert.equal(of('state').at(-1).retryInMs, 125);
  await pass(125);
  s = await edge.dial();
  assert.equal(s.url, 'ws://a.test/v1/socket?resume=1');
  const hello = await s.welcome();
  assert.deepEqual(hello.resume, { epoch: 'e1', at: { 0: 101, 1: 200 }, v: 5 });
  s.send(message(101));
  s.send(message(102));
  assert.deepEqual(seqs(), [101, 102]);
  assert.equal(of('state').at(-1).resumed, true);
});

test('a cut between joined and the first back frame loses nothing', async (t) => {
  const { edge } = setup(t);
  let s = await edge.dial();
  await s.welcome();
  s.send({ t: 'joined', ch: 'room:b', p: 0, from: 80, v: 9, room: { id: 'b' } });
  s.close(1006);
  await pass(125);
  s = await edge.dial();
  const { resume } = await s.welcome();
  assert.deepEqual(resume, { epoch: 'e1', at: { 0: 100, 1: 200 }, behind: { 'room:b': 80 }, v: 9 });
});

test('resumed: false starts afresh', async (t) => {
  const { client, edge, of } = setup(t);
  let s = await edge.dial();
  await s.welcome();
  s.close(4000, 'epoch');
  await pass(125);
  s = await edge.dial();
  await s.welcome({ resumed: false, cursor: { epoch: 'e2', at: { 0: 7, 1: 8 }, v: 1 } });
  assert.deepEqual(client.cursor, { epoch: 'e2', at: { 0: 7, 1: 8 }, v: 1 });
  assert.equal(of('welcome').at(-1).resumed, false);
});

test('an edge that can not be reached is left for the next; retries spread out', async (t) => {
  const { edge, of } = setup(t, { edges: ['http://a.test', 'http://b.test'] });
  const urls = [];
  for (const wait of [125, 250, 500, 1000]) {
    const s = await edge.dial();
    urls.push(new URL(s.url).host);
    s.close(1006);
    assert.equal(of('state').at(-1).retryInMs, wait);
    await pass(wait);
  }
  assert.deepEqual(urls, ['a.test', 'b.test', 'a.test', 'b.test']);
});

test('the backoff has a cap', async (t) => {
  const { edge, of } = setup(t);
  for (let i = 0; i < 12; i++) {
    (await edge.dial()).close(1006);
    await pass(15_000);
  }
  assert.equal(of('state').at(-1).retryInMs, 7500);
});

test('edges learned after a welcome take over from one that died', async (t) => {
  const asked = [];
  const fetch = async (url) => {
    asked.push(url);
    return { ok: true, json: async () => ({ edges: [{ url: 'http://a.test' }, { url: 'http://c.test', region: 'eu-west' }] }) };
  };
  const { edge } = setup(t, { fetch });
  let s = await edge.dial();
  await s.welcome({ ping: 600 });
  await pass(0);
  assert.deepEqual(asked, ['http://a.test/v1/edges']);
  await pass(450_000);
  assert.equal(asked.length, 2, 'and again in a while: edges come and go');
  s.close(1006);
  await pass(125);
  (await edge.dial()).close(1006); // refused: it is dead
  await pass(250);
  s = await edge.dial();
  assert.equal(s.url, 'ws://c.test/v1/socket?resume=1');
});

test('a client that knows but one edge keeps asking for others', async (t) => {
  let edges = [{ url: 'http://a.test' }];
  const fetch = async () => ({ ok: true, json: async () => ({ edges }) });
  const { edge } = setup(t, { fetch });
  let s = await edge.dial();
  await s.welcome({ ping: 600 });
  await pass(0);
  edges = [...edges, { url: 'http://b.test' }]; // it joins the cluster only now
  await pass(1000);
  s.close(1001);
  await pass(125);
  s = await edge.dial();
  assert.equal(s.url, 'ws://b.test/v1/socket?resume=1');
});

test('goaway moves before the deadline to the edge named', async (t) => {
  const { edge } = setup(t);
  let s = await edge.dial();
  await s.welcome();
  s.send({ t: 'goaway', after_ms: 10_000, edges: [{ url: 'http://d.test' }] });
  await pass(4499);
  assert.equal(edge.waiting, 0);
  await pass(1);
  s = await edge.dial();
  assert.equal(s.url, 'ws://d.test/v1/socket?resume=1');
  const hello = await s.welcome();
  assert.ok(hello.resume);
});

test('what waits for an answer moves along, and no frame is lost or comes twice', async (t) => {
  const { client, edge, seqs, of } = setup(t);
  let s = await edge.dial();
  await s.welcome();
  const published = client.publish('room:a', { text: 'hi' });
  await pass(0);
  const first = await s.next();
  s.send({ t: 'goaway', after_ms: 10_000, edges: [{ id: 'edge-2', region: 'eu-west', url: 'http://d.test', km: 1.5, load: 0 }] });
  s.send(message(101));
  await pass(4500);
  assert.equal(of('state').at(-1).retryInMs, 0);
  s.send(message(102)); // too late: it comes again
  s = await edge.dial();
  assert.equal(s.url, 'ws://d.test/v1/socket?resume=1');
  const hello = await s.welcome({ edge: { id: 'edge-2', region: 'eu-west' } });
  assert.equal(hello.resume.at[0], 101);
  assert.deepEqual(await s.next(), first);
  s.send(message(102));
  s.send(message(103));
  s.send({ t: 'reply', id: first.id, p: 0, seq: 103, epoch: 'e1' });
  assert.equal((await published).seq, 103);
  assert.deepEqual(seqs(), [101, 102, 103]);
  assert.deepEqual(of('edge').map((e) => e.id), ['edge-1', 'edge-2']);
});

test('an edge that goes before its deadline is still left for the one it named', async (t) => {
  const { edge } = setup(t);
  let s = await edge.dial();
  await s.welcome();
  s.send({ t: 'goaway', after_ms: 10_000, edges: [{ url: 'http://d.test' }] });
  s.close(1006);
  await pass(125);
  s = await edge.dial();
  assert.equal(s.url, 'ws://d.test/v1/socket?resume=1');
});

for (const [code, error] of [[4001, 'unauthorized'], [4003, 'forbidden'], [4004, 'bad_request']]) {
  test(`close ${code} is final`, async (t) => {
    const { client, edge, of } = setup(t);
    const s = await edge.dial();
    await s.welcome();
    const published = client.publish('room:a', {});
    s.close(code, 'no');
    await assert.rejects(published, { code: error });
    await pass(60_000);
    assert.equal(edge.waiting, 0);
    assert.deepEqual(of('state').at(-1), { state: 'closed', code, reason: 'no' });
    await assert.rejects(client.publish('room:a', {}), { code: 'closed' });
  });
}

test('close 4002 fetches a new token, then resumes', async (t) => {
  let n = 0;
  const { edge } = setup(t, { token: async () => `T${++n}` });
  let s = await edge.dial();
  assert.equal((await s.welcome()).token, 'T1');
  s.close(4002);
  await pass(125);
  s = await edge.dial();
  const hello = await s.welcome();
  assert.equal(hello.token, 'T2');
  assert.ok(hello.resume);
});

test('close 4002 is final when there is no way to another token', async (t) => {
  const { edge, of } = setup(t);
  const s = await edge.dial();
  await s.welcome();
  s.close(4002);
  assert.equal(of('state').at(-1).state, 'closed');
});

test('a token is refreshed before it expires', async (t) => {
  let n = 0;
  const jwt = (exp) => `h.${btoa(JSON.stringify({ exp: 1_700_000_000 + exp, n }))}.s`;
  const { edge } = setup(t, { token: async () => jwt(++n * 100) });
  const s = await edge.dial();
  const { token } = await s.welcome({ ping: 600 });
  await pass(80_000);
  const refresh = await s.next();
  assert.equal(refresh.t, 'refresh');
  assert.notEqual(refresh.token, token);
});

test('close 1009 is reported as a defect, then retried', async (t) => {
  const { edge, of } = setup(t);
  const s = await edge.dial();
  await s.welcome();
  s.close(1009);
  assert.equal(of('error').at(-1).code, 'defect');
  await pass(125);
  await edge.dial();
});

test('silence is probed; no answer means another connection', async (t) => {
  const { edge, of } = setup(t);
  const s = await edge.dial();
  await s.welcome();
  await pass(25_000);
  assert.deepEqual(await s.next(), { t: 'ping' });
  s.send({ t: 'pong' });
  await pass(24_999);
  assert.equal(s.unread, 0);
  await pass(1);
  assert.deepEqual(await s.next(), { t: 'ping' });
  await pass(8000);
  assert.equal(of('state').at(-1).reason, 'no answer to a ping within 8 s');
  await pass(125);
  assert.ok((await (await edge.dial()).welcome()).resume);
});

test('a message after a ping counts as an answer', async (t) => {
  const { edge, of } = setup(t);
  const s = await edge.dial();
  await s.welcome();
  await pass(25_000);
  await pass(1);
  s.send(message(101));
  await pass(8000);
  assert.equal(of('state').at(-1).state, 'connected');
});

test('an edge that never says welcome is left', async (t) => {
  const { edge, of } = setup(t, { edges: ['http://a.test', 'http://b.test'] });
  await (await edge.dial()).accept();
  await pass(10_000);
  assert.equal(of('state').at(-1).reason, 'no welcome within 10 s');
  await pass(125);
  assert.equal((await edge.dial()).url, 'ws://b.test/v1/socket');
});

test('publish answers with the place of the frame, or with the refusal', async (t) => {
  const { client, edge } = setup(t);
  const s = await edge.dial();
  await s.welcome();
  const good = client.publish('room:a', { text: 'x' }, { msgId: 'm1', refs: ['u2'] });
  const { id, ...sent } = await s.next();
  assert.deepEqual(sent, { t: 'publish', ch: 'room:a', data: { text: 'x' }, msg_id: 'm1', refs: ['u2'] });
  s.send({ t: 'reply', id, p: 0, seq: 101, epoch: 'e1' });
  assert.deepEqual(await good, { p: 0, seq: 101, epoch: 'e1' });
  const bad = client.publish('room:z', {});
  s.send({ t: 'error', id: (await s.next()).id, code: 'forbidden', message: 'not a member' });
  await assert.rejects(bad, { code: 'forbidden', message: 'not a member' });
});

test('a publish in flight when the connection is cut goes out again with the same id', async (t) => {
  const { client, edge } = setup(t);
  let s = await edge.dial();
  await s.welcome();
  const published = client.publish('room:a', { text: 'x' });
  const first = await s.next();
  s.close(1006);
  const queued = client.publish('room:a', { text: 'y' });
  await pass(125);
  s = await edge.dial();
  await s.welcome();
  const again = await s.next();
  assert.deepEqual(again, first);
  s.send({ t: 'reply', id: again.id, p: 0, seq: 101, epoch: 'e1' });
  assert.equal((await published).seq, 101);
  const second = await s.next();
  assert.deepEqual(second.data, { text: 'y' });
  s.send({ t: 'reply', id: second.id, p: 0, seq: 102, epoch: 'e1' });
  await queued;
});

test('a publish whose answer was lost is settled by its own frame', async (t) => {
  const { client, edge } = setup(t);
  let s = await edge.dial();
  await s.welcome();
  const published = client.publish('room:a', {}, { msgId: 'm1' });
  s.close(1006);
  await pass(125);
  s = await edge.dial();
  await s.welcome();
  s.send(message(101, { from: 'u1', msg_id: 'm1' }));
  assert.deepEqual(await published, { p: 0, seq: 101, epoch: 'e1' });
});

test('past the window of idempotency, nothing is sent twice', async (t) => {
  const { client, edge } = setup(t);
  let s = await edge.dial();
  await s.welcome();
  const published = client.publish('room:a', {});
  await s.next();
  s.close(1006);
  mock.timers.tick(125);
  await pass(0);
  s = await edge.dial();
  mock.timers.setTime(Date.now() + 120_000);
  await s.welcome();
  await assert.rejects(published, { code: 'unknown' });
  assert.equal(s.unread, 0);
});

test('an answer that never comes is a timeout', async (t) => {
  const { client, edge } = setup(t);
  const s = await edge.dial();
  await s.welcome({ ping: 600 });
  const asked = assert.rejects(client.members('a'), { code: 'timeout' });
  await pass(30_000);
  await asked;
});

test('what no edge would take is refused here', async (t) => {
  const { client, edge } = setup(t);
  await (await edge.dial()).welcome();
  await assert.rejects(client.publish('room:a', { text: 'x'.repeat(70_000) }), { code: 'too_large' });
});

test('topics confirmed are in hello after a cut, and covered by the cursor', async (t) => {
  const { client, edge, seqs } = setup(t);
  let s = await edge.dial();
  await s.welcome();
  const subscribed = client.subscribe('topic:x', { since: 40 });
  s.send({ t: 'reply', id: (await s.next()).id, p: 0, seq: 100, epoch: 'e1' });
  s.send(message(41, { ch: 'topic:x', back: true }));
  await subscribed;
  assert.deepEqual(client.cursor.behind, { 'topic:x': 41 });
  s.close(1006);
  await pass(125);
  s = await edge.dial();
  const hello = await s.welcome();
  assert.deepEqual(hello.topics, ['topic:x']);
  s.send(message(41, { ch: 'topic:x', back: true }));
  s.send(message(42, { ch: 'topic:x', back: true }));
  s.send({ t: 'live', ch: 'topic:x', seq: 100 });
  assert.deepEqual(seqs(), [41, 42]);
  assert.equal(client.cursor.behind, undefined);
});

test('a missing frame is asked for again; if it stays away, the gap is said openly', async (t) => {
  const { edge, seqs, of } = setup(t);
  let s = await edge.dial();
  await s.welcome();
  s.send(message(101));
  s.send(message(105));
  assert.deepEqual(seqs(), [101]);
  assert.equal(of('error').at(-1).code, 'hole');
  await pass(125);
  s = await edge.dial();
  assert.equal((await s.welcome()).resume.at[0], 101);
  s.send(message(105));
  assert.deepEqual(of('gap'), [{ t: 'gap', ch: 'room:a', p: 0, from: 102, to: 104 }]);
  assert.deepEqual(seqs(), [101, 105]);
});

test('a listener that throws harms neither the cursor nor the others', async (t) => {
  const { client, edge, seqs } = setup(t);
  const thrown = new Promise((resolve) => (globalThis.reportError = resolve));
  t.after(() => delete globalThis.reportError);
  const s = await edge.dial();
  await s.welcome();
  client.on('message', () => { throw new Error('listener'); });
  s.send(message(101));
  assert.equal((await thrown).message, 'listener');
  assert.deepEqual(seqs(), [101]);
  assert.equal(client.cursor.at[0], 101);
});

/** A fetch to which edges answer that they name, and ask to be left alone for so long. */
const resting = (rests) => async (url) => {
  const { host, pathname } = new URL(url);
  const edges = Object.keys(rests).map((h) => ({ url: `http://${h}` }));
  if (pathname === '/v1/ping') return { ok: true, text: async () => '' };
  return { ok: true, json: async () => ({ edges, ...(rests[host] && { retry_after_ms: rests[host] }) }) };
};

test('an edge that refuses twice is asked why, and left alone as long as it says', async (t) => {
  const { edge, of } = setup(t, { fetch: resting({ 'a.test': 8000 }) });
  (await edge.dial()).close(1006);
  await pass(125);
  (await edge.dial()).close(1006);
  await pass(0);
  assert.equal(of('state').at(-1).retryInMs, 8500);
  assert.equal(of('state').at(-1).attempt, 2);
  await pass(8499);
  assert.equal(edge.waiting, 0);
  await pass(1);
  await (await edge.dial()).welcome();
  assert.equal(of('state').at(-1).state, 'connected');
});

test('an edge that has room is taken before one that asks to be left alone', async (t) => {
  const { edge, of } = setup(t, { edges: ['http://a.test', 'http://b.test'], fetch: resting({ 'a.test': 8000, 'b.test': 0 }), nearest: true });
  assert.equal((await edge.dial()).url, 'ws://b.test/v1/socket');
  assert.equal(of('state').length, 0);
});

test('if all edges ask to be left alone, the first dial waits', async (t) => {
  const { edge, of } = setup(t, { fetch: resting({ 'a.test': 8000 }), nearest: true });
  await pass(0);
  assert.equal(of('state').at(-1).retryInMs, 8500);
  await pass(8499);
  assert.equal(edge.waiting, 0);
  await pass(1);
  assert.equal((await edge.dial()).url, 'ws://a.test/v1/socket');
});

test('no edge is left alone for more than a minute', async (t) => {
  const { of } = setup(t, { fetch: resting({ 'a.test': 86_400_000 }), nearest: true });
  await pass(0);
  assert.equal(of('state').at(-1).retryInMs, 60_500);
});

test('who has a cursor says so when it asks for its socket', async (t) => {
  const { edge } = setup(t);
  const s = await edge.dial();
  assert.equal(s.url, 'ws://a.test/v1/socket');
  await s.welcome();
  s.close(1006);
  await pass(125);
  assert.equal((await edge.dial()).url, 'ws://a.test/v1/socket?resume=1');
});

test('wrong options are refused with the value and the way out', () => {
  assert.throws(() => connect({ edges: 'nonsense', token: 'T' }), /edge "nonsense" is not a URL/);
  assert.throws(() => connect({ edges: 'ftp://x', token: 'T' }), /scheme ftp:/);
  assert.throws(() => connect({ edges: [], token: 'T' }), /edges is empty/);
  assert.throws(() => connect({ edges: 'http://a' }), /token is missing/);
});
