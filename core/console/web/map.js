// The map: land as stitches, nodes as knots, links as threads.

import { count, millis } from './format.js';
import { isLand } from './land.js';
import { svg } from './svg.js';

const WORLD = { west: -170, east: 180, north: 77, south: -56 };
/** Narrower than this, the map shows only the part of the world that has nodes. */
const NARROW_PX = 640;
const STITCH_PX = 7;
/** Nodes nearer than this share one place. */
const PLACE_PX = 30;
const KNOT_PX = 20;
/** About as wide as a letter of a label. */
const CHAR_PX = 7;

/** @param {SVGSVGElement} root */
export function worldMap(root) {
  const land = svg('path', { class: 'land' });
  const threads = svg('g', { class: 'threads' });
  const places = svg('g', { class: 'places' });
  const labels = svg('g', { class: 'labels' });
  root.append(land, threads, labels, places);
  let frame = null;
  let drawn = '';

  /** @param {any[]} nodes @param {any[]} links */
  function draw(nodes, links) {
    const width = root.clientWidth;
    if (width === 0) return;
    const located = nodes.filter((n) => Number.isFinite(n.lat) && Number.isFinite(n.lon));
    const shown = width < NARROW_PX ? around(located) : WORLD;
    const key = `${width} ${Object.values(shown)}`;
    if (key !== drawn) {
      drawn = key;
      frame = project(shown, width);
      root.setAttribute('viewBox', `0 0 ${width} ${frame.height}`);
      root.style.height = `${frame.height}px`;
      land.setAttribute('d', stitches(frame, width));
    }
    const { spots, groups } = place(located, frame);
    const ends = links.filter((l) => spots.has(l.from) && spots.has(l.to));
    keep(threads, ends, (l) => `${l.from} ${l.to}`, newThread, (g, l) => drawThread(g, l, spots));
    keep(labels, ends.filter((l) => apart(spots, l)), (l) => `${l.from} ${l.to}`, newLabel, (g, l) => drawRTT(g, l, spots));
    for (const g of groups) g.pull = pull(g, ends, spots);
    keep(places, groups, (g) => g.nodes.map((n) => n.id).join(' '), newPlace, (e, g) => drawPlace(e, g, width));
  }
  return { draw };
}

/** The part of the world that has nodes, with room around it. */
function around(nodes) {
  if (nodes.length === 0) return WORLD;
  const lons = nodes.map((n) => n.lon);
  const west = Math.max(WORLD.west, Math.min(...lons) - 30);
  const east = Math.min(WORLD.east, Math.max(...lons) + 34);
  const lack = Math.max(0, 200 - (east - west)) / 2;
  return { ...WORLD, west: Math.max(WORLD.west, west - lack), east: Math.min(WORLD.east, east + lack) };
}

/** Equirectangular. */
function project({ west, east, north, south }, width) {
  const scale = width / (east - west);
  return {
    height: Math.round((north - south) * scale),
    x: (lon) => (lon - west) * scale,
    y: (lat) => (north - lat) * scale,
    lon: (x) => west + x / scale,
    lat: (y) => north - y / scale,
  };
}

/** Land as rows of slanted stitches, each row half a stitch on, like twill. */
function stitches(frame, width) {
  const step = width < NARROW_PX ? STITCH_PX - 2 : STITCH_PX;
  const slant = step * 0.42;
  let d = '';
  for (let row = 0, y = step / 2; y < frame.height; row++, y += step) {
    for (let x = (row % 2 ? 1 : 0.5) * step; x < width; x += step) {
      if (isLand(frame.lon(x), frame.lat(y))) d += `M${(x - slant / 2).toFixed(1)} ${(y + slant / 2).toFixed(1)}l${slant.toFixed(1)} ${(-slant).toFixed(1)}`;
    }
  }
  return d;
}

/** Puts nodes that are close to each other side by side. */
function place(nodes, frame) {
  const groups = [];
  for (const n of nodes) {
    const x = frame.x(n.lon);
    const y = frame.y(n.lat);
    const near = groups.find((g) => Math.hypot(g.x - x, g.y - y) < PLACE_PX);
    if (near) near.nodes.push(n);
    else groups.push({ x, y, nodes: [n] });
  }
  const spots = new Map();
  for (const g of groups) {
    g.nodes.sort((a, b) => a.role.localeCompare(b.role) || a.id.localeCompare(b.id));
    g.nodes.forEach((n, i) => spots.set(n.id, { x: g.x + (i - (g.nodes.length - 1) / 2) * KNOT_PX, y: g.y }));
  }
  return { groups, spots };
}

const apart = (spots, l) => Math.hypot(spots.get(l.from).x - spots.get(l.to).x, spots.get(l.from).y - spots.get(l.to).y) > 2 * PLACE_PX;

/** To which side the threads of a place go: negative is west. */
function pull({ x, nodes }, links, spots) {
  const here = new Set(nodes.map((n) => n.id));
  const far = links.filter((l) => here.has(l.from) !== here.has(l.to)).map((l) => spots.get(here.has(l.from) ? l.to : l.from));
  return far.reduce((sum, spot) => sum + Math.sign(spot.x - x), 0);
}

/** An arc that bends with its length: up on its way north, down on its way south. */
function arc(l, spots) {
  const a = spots.get(l.from);
  const b = spots.get(l.to);
  const bend = apart(spots, l) ? 0.2 * Math.hypot(b.x - a.x, b.y - a.y) * (b.y > a.y ? 1 : -1) : 0;
  const c = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 + bend };
  const middle = { x: (a.x + 2 * c.x + b.x) / 4, y: (a.y + 2 * c.y + b.y) / 4 + (bend > 0 ? 17 : -7) };
  return { d: `M${a.x} ${a.y}Q${c.x} ${c.y} ${b.x} ${b.y}`, middle };
}

const newThread = () => svg('g', {}, svg('path', { class: 'thread' }), svg('path', { class: 'traffic' }));

function drawThread(g, l, spots) {
  const { d } = arc(l, spots);
  for (const path of g.children) path.setAttribute('d', d);
  g.setAttribute('class', [l.scope, l.up ? 'up' : 'down', l.gone ? 'gone' : ''].join(' '));
  // A few speeds only: changing one restarts the animation.
  const pace = l.up && !l.gone && l.frames_per_s > 0 ? Math.min(5, 1 + Math.floor(Math.log10(1 + l.frames_per_s) * 1.6)) : 0;
  g.dataset.pace = String(pace);
}

const newLabel = () => svg('text', { class: 'rtt', 'text-anchor': 'middle' });

function drawRTT(text, l, spots) {
  const { middle } = arc(l, spots);
  text.setAttribute('x', String(middle.x));
  text.setAttribute('y', String(middle.y));
  text.textContent = l.gone ? 'gone' : l.up ? millis(Math.round(l.rtt_ms)) : 'down';
}

const newPlace = () => svg('g');

function drawPlace(e, { x, y, nodes, pull }, width) {
  const here = nodes.filter((n) => !n.gone);
  const edges = here.filter((n) => n.role === 'edge');
  const sockets = edges.reduce((n, o) => n + o.sockets, 0);
  const logs = edges.reduce((n, o) => n + o.relay_logs, 0);
  const lines = [[...new Set(nodes.map((n) => n.region))].join(', ')];
  if (edges.length > 0) {
    lines.push(`${count(sockets)} ${sockets === 1 ? 'socket' : 'sockets'}`);
    if (logs > 0) lines.push(`relays ${count(logs)} ${logs === 1 ? 'log' : 'logs'}`);
  }
  if (here.length === 0) lines.push('gone');
  const half = (nodes.length * KNOT_PX) / 2 + 6;
  const room = Math.max(...lines.map((line) => line.length)) * CHAR_PX;
  // Beside the knots, away from where the threads go; below, if there is no room.
  let at = { x, y: y + 24, anchor: 'middle' };
  if (pull <= 0 && x + half + room < width) at = { x: x + half, y: y - 2, anchor: 'start' };
  else if (pull > 0 && x - half - room > 0) at = { x: x - half, y: y - 2, anchor: 'end' };
  else if (x - room / 2 < 0) at = { x: x - half + 6, y: y + 24, anchor: 'start' };
  else if (x + room / 2 > width) at = { x: x + half - 6, y: y + 24, anchor: 'end' };
  e.replaceChildren(
    ...nodes.map((n, i) => knot(n, x + (i - (nodes.length - 1) / 2) * KNOT_PX, y)),
    ...lines.map((text, i) =>
      svg('text', { x: at.x, y: at.y + i * 14, 'text-anchor': at.anchor, class: i === 0 ? 'region' : 'detail' }, text)),
  );
}

function knot(n, x, y) {
  const state = n.gone ? 'gone' : n.state === 'ready' ? 'ready' : 'other';
  const shape = n.role === 'core'
    ? svg('rect', { x: x - 7, y: y - 7, width: 14, height: 14, rx: 2 })
    : svg('circle', { cx: x, cy: y, r: 7 });
  shape.setAttribute('class', `knot ${n.role} ${state}`);
  shape.append(svg('title', {}, `${n.id}: ${n.gone ? 'gone' : n.state}, lag ${millis(n.lag_ms)}`));
  return shape;
}

/** One child per item: made when new, drawn again, removed when the item went. */
function keep(parent, items, keyOf, make, draw) {
  const old = new Map([...parent.children].map((c) => [c.dataset.key, c]));
  for (const item of items) {
    const key = keyOf(item);
    let e = old.get(key);
    old.delete(key);
    if (!e) {
      e = make();
      e.dataset.key = key;
      parent.append(e);
    }
    draw(e, item);
  }
  for (const e of old.values()) e.remove();
}
