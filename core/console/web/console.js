// The console: asks the core once a second, remembers a minute, and draws.

import { count, millis, rate } from './format.js';
import { worldMap } from './map.js';
import { sparkline } from './svg.js';
import { linkTable, nodeTable } from './table.js';

const POLL_MS = 1000;
const ANSWER_MS = 4000;
/** How long a node that vanished is still shown, as gone. */
const GONE_MS = 30_000;
/** Values that a sparkline shows: one a second. */
const PAST = 60;

const $ = (id) => document.getElementById(id);

/** Everything ever heard of that is still shown, by key: its last figures, its past, when it was last seen. */
const nodes = new Map();
const links = new Map();

const map = worldMap($('map'));
const nodeRows = nodeTable($('nodes'), PAST);
const linkRows = linkTable($('links'));
const totals = totalCards([
  ['Published/s', (s) => rate(s.publishes_per_s), (s) => s.publishes_per_s],
  ['Frames/s to edges', (s) => rate(s.frames), (s) => s.frames],
  ['Delivered/s', (s) => rate(s.delivered), (s) => s.delivered],
  ['Sockets', (s) => count(s.sockets), (s) => s.sockets],
  ['Delivery lag, worst', (s) => millis(s.lag), (s) => s.lag],
  ['Nodes', (s) => count(s.alive), (s) => s.alive],
]);

new ResizeObserver(draw).observe($('map'));
poll();

async function poll() {
  const start = performance.now();
  try {
    const answer = await fetch('/console/state', { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_MS) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    take(await answer.json());
  } catch (e) {
    say('away', `The core does not answer (${e.name === 'TimeoutError' ? `nothing within ${ANSWER_MS / 1000} s` : e.message}); trying again`);
  }
  setTimeout(poll, Math.max(100, POLL_MS - (performance.now() - start)));
}

function take(state) {
  // A core's frames are what its links carry.
  for (const n of state.nodes) {
    if (n.role === 'core') n.frames_per_s ||= state.links.reduce((sum, l) => sum + (l.from === n.id ? l.frames_per_s : 0), 0);
  }
  remember(nodes, state.nodes, (n) => n.id);
  remember(links, state.links, (l) => `${l.from} ${l.to}`);
  for (const n of nodes.values()) {
    n.past.push(n.gone ? 0 : (n.frames_per_s ?? 0));
    n.past.splice(0, n.past.length - PAST);
  }
  const edges = state.nodes.filter((n) => n.role === 'edge');
  const sum = (field) => edges.reduce((total, n) => total + (n[field] ?? 0), 0);
  totals.draw({
    publishes_per_s: state.publishes_per_s,
    frames: sum('frames_per_s'),
    delivered: sum('delivered_per_s'),
    sockets: sum('sockets'),
    lag: Math.max(0, ...edges.map((n) => n.lag_ms ?? 0)),
    alive: state.nodes.length,
  });
  const { epoch, logs } = state.cluster;
  $('cluster').textContent = `${logs} logs, epoch ${epoch}`;
  draw();

  const gone = [...nodes.values()].filter((n) => n.gone);
  if (gone.length > 0) say('warn', `Gone: ${gone.map((n) => n.id).join(', ')}`);
  else say('live', `Live: ${state.nodes.length} nodes, ${state.links.filter((l) => l.up).length} links`);
}

/** What is heard of now is fresh; what was heard of lately is gone; what is gone for long is forgotten. */
function remember(known, heard, keyOf) {
  const now = Date.now();
  for (const item of heard) {
    const key = keyOf(item);
    known.set(key, { ...item, key, past: known.get(key)?.past ?? [], seen: now });
  }
  for (const [key, item] of known) {
    item.gone = item.seen !== now;
    if (now - item.seen > GONE_MS) known.delete(key);
  }
}

function draw() {
  const order = { core: 0, edge: 1 };
  const all = [...nodes.values()].sort((a, b) => order[a.role] - order[b.role] || a.id.localeCompare(b.id));
  map.draw(all, [...links.values()]);
  nodeRows.draw(all);
  linkRows.draw([...links.values()]);
}

function say(state, text) {
  const status = $('status');
  status.dataset.state = state;
  document.body.classList.toggle('stale', state === 'away');
  const span = status.querySelector('span');
  if (span.textContent !== text) span.textContent = text; // read aloud only when it changes
}

/** Totals with a line of the last minute each. */
function totalCards(cards) {
  const made = cards.map(([title, text, value]) => {
    const spark = sparkline(PAST);
    const card = document.createElement('div');
    const dt = card.appendChild(document.createElement('dt'));
    const dd = card.appendChild(document.createElement('dd'));
    dt.textContent = title;
    dd.textContent = '–';
    card.append(spark.root);
    $('totals').append(card);
    return { dd, spark, text, value, past: [] };
  });
  return {
    draw(sums) {
      for (const { dd, spark, text, value, past } of made) {
        dd.textContent = text(sums);
        past.push(value(sums));
        past.splice(0, past.length - PAST);
        spark.draw(past);
      }
    },
  };
}
