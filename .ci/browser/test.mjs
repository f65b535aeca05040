// The main job, seen by two people: a message crosses an ocean to a browser.
// Needs bin/selvedge (SELVEDGE_BIN) and Chromium (CHROMIUM).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { named, noSidewaysScroll, readable } from './checks.mjs';
import { CONSOLE, DEMO, screenshot, startWorld } from './world.mjs';

const ROOM = 'room:general';
const run = Date.now().toString(36);
const here = { user: 'u1', edge: 'us-east', room: 'general' };
const there = { user: 'u2', edge: 'ap-southeast', room: 'general' };

let world;
let near;
let far;

before(async () => {
  world = await startWorld();
  [near, far] = await Promise.all([enter(here), enter(there)]);
}, { timeout: 120_000 });

after(() => world?.stop(), { timeout: 30_000 });

const byId = (page, id) => page.getByTestId(id);
const visit = (who) => `${DEMO}?${new URLSearchParams(who)}`;

/** Opens the demo, and waits until it is connected and in its room. */
async function enter(who, options) {
  const page = await world.open(visit(who), options);
  await page.waitForSelector('[data-testid=state][data-state=connected]');
  await page.waitForSelector(`[data-testid="room-${who.room}"][aria-current]`, { state: 'attached' });
  return page;
}

async function send(page, text) {
  await byId(page, 'composer').fill(text);
  await byId(page, 'send').click();
}

/** Messages of this test on a page, in the order shown. */
function shown(page, token) {
  return page.evaluate((wanted) => [...document.querySelectorAll('[data-testid=message]')]
    .map((e) => ({ text: e.querySelector('.text').textContent, seq: Number(e.dataset.seq), ch: e.dataset.ch }))
    .filter((m) => m.text.includes(wanted)), token);
}

/** Waits until `n` messages of this test are there, and fails on one too many. */
async function arrived(page, token, n) {
  await page.waitForFunction(([wanted, count]) => [...document.querySelectorAll('[data-testid=message] .text')]
    .filter((e) => e.textContent.includes(wanted)).length >= count, [token, n]);
  const messages = await shown(page, token);
  assert.equal(messages.length, n, `${n} messages, each once: ${JSON.stringify(messages)}`);
  const seqs = messages.map((m) => m.seq);
  assert.deepEqual(seqs, [...seqs].sort((a, b) => a - b), 'shown in the order of the log');
  return messages;
}

/** A backend's call. */
async function call(method, path, body) {
  const answer = await fetch(`${DEMO}v1/${path}`, {
    method,
    headers: { Authorization: 'Bearer dev', 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}

const publishAs = (from, text) => call('POST', 'publish', { channel: ROOM, from, data: { text } });
const publish = (data, channel = ROOM) => call('POST', 'publish', { channel, data });

test('it is ready in ten seconds', () => {
  assert.ok(world.startMs < 10_000, `${world.startMs} ms`);
});

test('two people at two edges see what each of them sends: once, in order', async () => {
  const token = `talk-${run}`;
  await send(near, `${token} hello from Virginia`);
  await arrived(far, token, 1);
  await send(far, `${token} hello from Singapore`);
  await arrived(near, token, 2);
  // Both at once, without waiting.
  for (let i = 1; i <= 5; i++) await Promise.all([send(near, `${token} near ${i}`), send(far, `${token} far ${i}`)]);
  const [a, b] = await Promise.all([arrived(near, token, 12), arrived(far, token, 12)]);
  assert.deepEqual(a, b, 'the same messages in the same order on both sides');
  for (const side of ['near', 'far']) {
    const own = a.filter((m) => m.text.includes(` ${side} `)).map((m) => Number(m.text.split(' ').at(-1)));
    assert.deepEqual(own, [1, 2, 3, 4, 5], `${side} speaks in order`);
  }
  assert.equal(await byId(near, 'pending').count(), 0);
  await screenshot(near, 'demo-us-east');
  await screenshot(far, 'demo-ap-southeast');
});

test('what a backend publishes reaches both, and the page says how long it took', async () => {
  const token = `api-${run}`;
  const { seq } = await publish({ text: `${token} from the backend` });
  const { edges } = await (await fetch(`${DEMO}dev/config`)).json();
  for (const [page, who] of [[near, here], [far, there]]) {
    const [message] = await arrived(page, token, 1);
    assert.deepEqual([message.seq, message.ch], [seq, ROOM]);
    const delivery = page.locator(`[data-testid=message][data-seq="${seq}"] [data-testid=delivery]`);
    const ms = Number(await delivery.getAttribute('data-ms'));
    const oneWay = edges.find((e) => e.region === who.edge).rtt_ms / 2;
    assert.ok(ms >= oneWay * 0.8 - 2 && ms < oneWay + 5000, `${who.edge}: ${ms} ms over a way of ${oneWay} ms`);
  }
});

test('a connection that is cut resumes: nothing lost, nothing twice', async () => {
  const token = `cut-${run}`;
  let cut = async () => {};
  const page = await enter({ ...there, user: 'u3' }, {
    before: (p) => p.routeWebSocket(/\/v1\/socket$/, (socket) => {
      const server = socket.connectToServer();
      cut = async () => {
        await server.close();
        await socket.close({ code: 4009, reason: 'cut by the test' });
      };
    }),
  });
  for (let i = 0; i < 30; i++) {
    if (i % 10 === 5) await cut();
    await publish({ text: `${token} ${i}` });
  }
  const messages = await arrived(page, token, 30);
  assert.deepEqual(messages.map((m) => Number(m.text.split(' ').at(-1))), Array.from({ length: 30 }, (_, i) => i));
  await page.waitForFunction(() => document.querySelector('[data-testid=state]').textContent.includes('Resumed'));
  await page.context().close();
});

test('a room joined on the page delivers its next message; a room left is gone', async () => {
  const room = `browser-${run}`;
  await call('PUT', `rooms/${room}`, { data: { name: 'Browser test' } });
  const page = await enter({ user: 'u4', edge: 'eu-west', room: 'general' });
  await byId(page, 'join-room').fill(room);
  await byId(page, 'join').click();
  await page.waitForSelector(`[data-testid="room-${room}"][aria-current]`);
  await publish({ text: `${room} one` }, `room:${room}`);
  const [message] = await arrived(page, room, 1);
  assert.equal(message.ch, `room:${room}`);
  // Unread while another room is open.
  await byId(page, 'room-general').click();
  await publish({ text: `${room} two` }, `room:${room}`);
  await page.waitForSelector(`[data-testid="room-${room}"] [data-testid=unread]`);
  await byId(page, `room-${room}`).click();
  await arrived(page, room, 2);
  await byId(page, 'leave').click();
  await page.waitForSelector(`[data-testid="room-${room}"]`, { state: 'detached' });
  await page.context().close();
});

test('members are shown by name, history after a reload', async () => {
  const token = `history-${run}`;
  await publish({ text: `${token} kept` });
  const page = await enter({ ...here, user: 'u5' });
  await arrived(page, token, 1);
  const { users } = await (await fetch(`${DEMO}dev/config`)).json();
  await page.waitForFunction(() => document.querySelectorAll('[data-testid=members] li').length === 25);
  await byId(page, 'members-more').click();
  await byId(page, 'members-more').waitFor({ state: 'hidden' });
  const shownNames = () => byId(page, 'members').locator('.name').allTextContents();
  const wanted = ['José Álvarez', '佐藤 陽斗', ...users.map(({ name }) => name)];
  // Who is not known to the page yet has the id for a name, until the edge tells.
  await page.waitForFunction((all) => {
    const names = [...document.querySelectorAll('[data-testid=members] .name')].map((e) => e.textContent);
    return all.every((name) => names.includes(name));
  }, wanted).catch(async () => assert.fail(`${wanted.filter(Boolean)} in ${await shownNames()}`));
  const names = await shownNames();
  assert.equal(new Set(names).size, names.length, 'each member once');
  await page.context().close();
});

test('who has another name has it everywhere, at once', async () => {
  const token = `name-${run}`;
  await call('PATCH', 'users/u6', { data: { name: 'Fatou Diallo' } });
  const page = await enter({ ...there, user: 'u5' });
  await publishAs('u6', `${token} by Fatou`);
  await arrived(page, token, 1);
  const isBy = (p, name) => p.waitForFunction(([wanted, author]) => [...document.querySelectorAll('[data-testid=message]')]
    .some((e) => e.textContent.includes(wanted) && e.querySelector('.author').textContent === author), [token, name]);
  await isBy(page, 'Fatou Diallo');
  await byId(page, 'members-more').click();
  await page.waitForFunction(() => document.querySelector('[data-testid=members] button[data-user=zoe] .name')?.textContent === 'Zoë Krüger');
  await byId(page, 'members').locator('button[data-user=u6]').click();
  await screenshot(page, 'demo-card');
  await byId(page, 'new-name').fill('Fatou Diallo-Ndiaye');
  await byId(page, 'rename').click();
  await byId(page, 'card').waitFor({ state: 'hidden' });
  for (const p of [page, near]) await isBy(p, 'Fatou Diallo-Ndiaye');
  await page.waitForFunction(() => document.querySelector('[data-testid=members] button[data-user=u6] .name').textContent === 'Fatou Diallo-Ndiaye');
  // By a backend.
  await call('PUT', 'users/u6', { data: { name: 'Fatou Diallo' } });
  await isBy(page, 'Fatou Diallo');
  await call('PATCH', 'rooms/random', { data: { name: 'Random things' } });
  await page.waitForFunction(() => document.querySelector('[data-testid=room-random]').textContent.includes('Random things'));
  await call('PATCH', 'rooms/random', { data: { name: 'Random' } });
  await page.context().close();
});

test('a name that changed while the page was cut off is right when it is back', async () => {
  const token = `back-${run}`;
  let held = true;
  let cut;
  await publishAs('u6', `${token} by Fatou`);
  const page = await enter({ ...there, user: 'u4' }, {
    before: (p) => p.routeWebSocket(/\/v1\/socket$/, async (socket) => {
      if (cut) while (held) await new Promise((resolve) => setTimeout(resolve, 20));
      const server = socket.connectToServer();
      cut = async () => {
        await server.close();
        await socket.close({ code: 4009, reason: 'cut by the test' });
      };
    }),
  });
  await arrived(page, token, 1);
  await cut();
  await page.waitForSelector('[data-testid=state][data-state=reconnecting]');
  await call('PATCH', 'users/u6', { data: { name: 'Fatou the Weaver' } });
  held = false;
  await page.waitForFunction((wanted) => [...document.querySelectorAll('[data-testid=message]')]
    .some((e) => e.textContent.includes(wanted) && e.querySelector('.author').textContent === 'Fatou the Weaver'), token);
  await call('PATCH', 'users/u6', { data: { name: 'Fatou Diallo' } });
  await page.context().close();
});

test('a room that is not on screen shows a dot, and sends no frames until it is opened', async () => {
  const token = `focus-${run}`;
  const page = await enter({ ...here, user: 'u5' });
  const frames = world.sessions.at(-1);
  // The focus was asked for before the members.
  await page.waitForFunction(() => document.querySelectorAll('[data-testid=members] li').length === 25);
  for (let i = 1; i <= 3; i++) await publish({ text: `${token} ${i}` }, 'room:random');
  await page.waitForSelector('[data-testid=room-random] [data-testid=unread]');
  assert.equal(frames.filter((f) => f.ch === 'room:random').length, 0);
  await screenshot(page, 'demo-unread');
  await byId(page, 'room-random').click();
  await arrived(page, token, 3);
  await page.waitForSelector('[data-testid=room-random] [data-testid=unread]', { state: 'detached' });
  await publish({ text: `${token} 4` }, 'room:random');
  await arrived(page, token, 4);
  await page.context().close();
});

for (const [width, height] of [[1280, 800], [360, 740]]) {
  test(`the quick switcher finds people and rooms by keyboard at ${width} px`, async () => {
    const page = await enter({ ...here, user: 'u2' }, { width, height });
    await page.keyboard.press('Control+k');
    const found = () => byId(page, 'found').locator('li .name').allTextContents();
    await page.keyboard.type('jose');
    await page.waitForFunction(() => [...document.querySelectorAll('[data-testid=found-person] .name')].length === 2);
    assert.deepEqual(await found(), ['José Álvarez', 'Josefina Núñez']);
    await noSidewaysScroll(page, 'switcher');
    await readable(page, 'switcher');
    await named(page, 'switcher');
    await screenshot(page, `demo-switcher-${width}`);
    await byId(page, 'sought').fill('佐');
    await page.waitForFunction(() => document.querySelector('[data-testid=found-person] .name')?.textContent === '佐藤 陽斗');
    await byId(page, 'sought').fill('ra');
    await page.waitForFunction(() => [...document.querySelectorAll('[data-testid=found] .name')].some((e) => e.textContent.startsWith('Rachel')));
    assert.equal((await found())[0], 'Random');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await page.waitForSelector('[data-testid=room-random][aria-current]', { state: 'attached' });
    await page.keyboard.press('Control+k');
    await page.keyboard.type('zo');
    await page.waitForSelector('[data-testid=found-person]');
    await page.keyboard.press('Enter');
    await byId(page, 'card').waitFor();
    assert.equal(await page.locator('#card-name').textContent(), 'Zoë Krüger');
    await noSidewaysScroll(page, 'card');
    if (width === 360) await screenshot(page, 'demo-card-360');
    await page.keyboard.press('Escape');
    await byId(page, 'card').waitFor({ state: 'hidden' });
    await page.context().close();
  });
}

test('everything by keyboard: each stop is visible, a message goes out', async () => {
  const token = `keys-${run}`;
  const page = await enter(here);
  const stops = [];
  for (let i = 0; i < 40 && !stops.includes('composer'); i++) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const e = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(e);
      return { name: e.dataset.testid ?? e.id, seen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 };
    });
    assert.ok(stop.seen, `focus can be seen at ${stop.name}`);
    stops.push(stop.name);
  }
  for (const name of ['user-select', 'edge-select', 'other-window', 'find', 'room-general', 'join-room', 'composer']) {
    assert.ok(stops.includes(name), `${name} can be reached: ${stops}`);
  }
  await page.keyboard.type(`${token} first line`);
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('second line');
  await page.keyboard.press('Enter');
  const [message] = await arrived(far, token, 1);
  assert.equal(message.text, `${token} first line\nsecond line`);
  assert.equal(await byId(page, 'composer').inputValue(), '');
  await page.context().close();
});

test('the page opens as someone else in another region', async () => {
  const href = await byId(near, 'other-window').getAttribute('href');
  const query = new URLSearchParams(href);
  assert.notEqual(query.get('user'), here.user);
  assert.notEqual(query.get('edge'), here.edge);
  assert.equal(query.get('room'), 'general');
  const page = await enter(Object.fromEntries(query));
  await byId(page, 'edge-select').selectOption('eu-west');
  await page.waitForFunction(() => document.querySelector('[data-testid=state]').textContent.includes('eu-west')
    && document.querySelector('[data-testid=state]').dataset.state === 'connected');
  assert.equal(new URL(page.url()).searchParams.get('edge'), 'eu-west');
  await page.context().close();
});

test('the console shows nodes and links with measured round trips', async () => {
  const page = await world.open(CONSOLE);
  await page.waitForFunction(() => document.querySelectorAll('[data-testid=node]').length >= 4
    && document.querySelectorAll('[data-testid=link]').length >= 3);
  assert.equal(await page.locator('[data-testid=node]').count(), 4);
  assert.equal(await page.locator('[data-testid=map] .knot').count(), 4);
  assert.equal(await page.locator('[data-testid=map] .knot.core').count(), 1);
  // The threads over an ocean say their round trip, once it was measured.
  await page.waitForFunction(() => [...document.querySelectorAll('[data-testid=map] .rtt')].filter((e) => parseInt(e.textContent, 10) > 10).length >= 2);
  // The two people of this test hold sockets.
  await page.waitForFunction(() => [...document.querySelectorAll('[data-testid=node] [data-label=Sockets]')]
    .reduce((n, e) => n + (parseInt(e.textContent, 10) || 0), 0) >= 2);
  await page.context().close();
});

for (const colorScheme of ['light', 'dark']) {
  for (const [width, height] of [[360, 740], [1280, 800]]) {
    test(`pages fit and can be read at ${width} px, ${colorScheme}`, async () => {
      const demo = await enter({ ...there, user: 'u6' }, { width, height, colorScheme });
      const token = `look-${run}-${colorScheme}-${width}`;
      await send(demo, `${token} ${'averyveryverylongwordthatneverends'.repeat(6)}`);
      await arrived(demo, token, 1);
      const board = await world.open(CONSOLE, { width, height, colorScheme });
      await board.waitForFunction(() => document.querySelectorAll('[data-testid=node]').length >= 4);
      for (const [page, name] of [[demo, 'demo'], [board, 'console']]) {
        const what = `${name}-${width}-${colorScheme}`;
        await noSidewaysScroll(page, what);
        await readable(page, what);
        await named(page, what);
        await screenshot(page, what, { fullPage: name === 'console' });
      }
      if (width === 360) {
        await demo.getByRole('button', { name: /^Rooms/ }).click();
        await byId(demo, 'room-list').waitFor();
        await noSidewaysScroll(demo, 'rooms panel');
        await screenshot(demo, `demo-${width}-${colorScheme}-rooms`);
      }
      await demo.context().close();
      await board.context().close();
    });
  }
}

test('on the wire, too, each frame came once per session and in order per channel', () => {
  assert.ok(world.sessions.some((frames) => frames.length >= 12));
  for (const frames of world.sessions) {
    const last = new Map();
    for (const { ch, seq } of frames) {
      assert.ok(seq > (last.get(ch) ?? 0), `${ch}: ${seq} after ${last.get(ch)}`);
      last.set(ch, seq);
    }
  }
});

test('no page complained', () => {
  assert.deepEqual(world.complaints, []);
});
