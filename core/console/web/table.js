// The same figures as tables, for keyboards, screen readers and narrow pages.

import { bytes, count, millis, rate, share, uptime } from './format.js';
import { sparkline } from './svg.js';

/** Columns: heading, what stands in the cell, whether it is a figure. */
const NODES = [
  ['Node', (n) => n.id],
  ['Role', (n) => n.role],
  ['Region', (n) => n.region],
  ['State', (n) => (n.gone ? 'gone' : n.state)],
  ['Sockets', (n) => (n.role === 'edge' ? count(n.sockets) : '–'), true],
  ['Frames/s', (n) => rate(n.frames_per_s), true],
  ['Delivered/s', (n) => (n.role === 'edge' ? rate(n.delivered_per_s) : '–'), true],
  ['Lag', (n) => (n.role === 'edge' ? millis(n.lag_ms) : '–'), true],
  ['RTT to core', (n) => (n.role === 'edge' ? millis(n.rtt_ms) : '–'), true],
  ['Relays', (n) => (n.role === 'edge' ? `${count(n.relay_logs)} ${n.relay_logs === 1 ? 'log' : 'logs'}` : '–'), true],
  ['Load', (n) => (n.role === 'edge' ? share(n.load) : '–'), true],
  ['Version', (n) => n.version ?? '–'],
  ['Up', (n) => uptime(n.uptime_s || undefined), true],
];

const LINKS = [
  ['From', (l) => l.from],
  ['To', (l) => l.to],
  ['Scope', (l) => l.scope],
  ['State', (l) => (l.gone ? 'gone' : l.up ? 'up' : 'down')],
  ['RTT', (l) => millis(l.rtt_ms), true],
  ['Logs', (l) => count(l.logs), true],
  ['Frames/s', (l) => rate(l.frames_per_s), true],
  ['Bytes/s', (l) => bytes(l.bytes_per_s), true],
];

/** @param {HTMLTableElement} table @param {number} length values that a sparkline shows */
export const nodeTable = (table, length) => keyedTable(table, NODES, { column: 'Frames/s', length, testid: 'node' });
/** @param {HTMLTableElement} table */
export const linkTable = (table) => keyedTable(table, LINKS, { testid: 'link' });

/** A table whose rows stay the same elements while their figures change. */
function keyedTable(table, columns, o) {
  const head = table.createTHead().insertRow();
  for (const [title, , figure] of columns) {
    const th = document.createElement('th');
    th.scope = 'col';
    th.textContent = title;
    if (figure) th.className = 'figure';
    head.append(th);
  }
  const body = table.createTBody();
  const rows = new Map();

  function newRow(key) {
    const tr = body.insertRow();
    tr.dataset.testid = o.testid;
    tr.dataset.key = key;
    let spark;
    const cells = columns.map(([title, , figure], i) => {
      const cell = document.createElement(i === 0 ? 'th' : 'td');
      if (i === 0) cell.scope = 'row';
      cell.dataset.label = title;
      if (figure) cell.className = 'figure';
      const text = cell.appendChild(document.createElement('span'));
      if (title === o.column) {
        spark = sparkline(o.length);
        cell.prepend(spark.root);
      }
      tr.append(cell);
      return text;
    });
    const row = { tr, cells, spark };
    rows.set(key, row);
    return row;
  }

  return {
    /** @param {{key: string, gone?: boolean, past?: number[]}[]} items */
    draw(items) {
      const missing = new Set(rows.keys());
      for (const item of items) {
        missing.delete(item.key);
        const row = rows.get(item.key) ?? newRow(item.key);
        row.tr.classList.toggle('gone', Boolean(item.gone));
        row.tr.dataset.state = item.gone ? 'gone' : (item.state ?? (item.up ? 'up' : 'down'));
        columns.forEach(([, text], i) => {
          const value = text(item);
          if (row.cells[i].textContent !== value) row.cells[i].textContent = value;
        });
        row.spark?.draw(item.past ?? []);
      }
      for (const key of missing) {
        rows.get(key).tr.remove();
        rows.delete(key);
      }
    },
  };
}
