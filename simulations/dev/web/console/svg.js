// SVG elements, and a sparkline.

export function svg(tag, attributes = {}, ...children) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, String(v));
  e.append(...children);
  return e;
}

const WIDTH = 96;
const HEIGHT = 24;

/** A line over the last `length` values. It is a picture of numbers that stand beside it. */
export function sparkline(length) {
  const area = svg('path', { class: 'area' });
  const line = svg('path', { class: 'line', fill: 'none' });
  const root = svg('svg', { class: 'spark', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' }, area, line);
  return {
    root,
    /** @param {number[]} values oldest first */
    draw(values) {
      const top = Math.max(1, ...values);
      const points = values.map((v, i) => {
        const x = WIDTH - ((values.length - 1 - i) / (length - 1)) * WIDTH;
        return `${x.toFixed(1)},${(HEIGHT - 2 - (v / top) * (HEIGHT - 4)).toFixed(1)}`;
      });
      const d = points.length > 1 ? `M${points.join('L')}` : '';
      line.setAttribute('d', d);
      area.setAttribute('d', d && `${d}L${WIDTH},${HEIGHT}L${points[0].split(',')[0]},${HEIGHT}Z`);
    },
  };
}
