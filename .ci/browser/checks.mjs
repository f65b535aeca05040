// What every page must hold, whatever it shows.

import assert from 'node:assert/strict';

export async function noSidewaysScroll(page, what) {
  const [width, needs] = await page.evaluate(() => [innerWidth, Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)]);
  assert.ok(needs <= width, `${what}: content is ${needs} px wide, the window ${width}`);
}

/** WCAG 2 AA: 4.5 for text, 3 for large text, against the nearest ground that has a colour. */
export async function readable(page, what) {
  const poor = await page.evaluate(() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (colour) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      return canvas.getImageData(0, 0, 1, 1).data;
    };
    const luminance = ([r, g, b]) => {
      const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const ground = (e) => {
      const layers = [];
      for (; e; e = e.parentElement) {
        const c = rgba(getComputedStyle(e).backgroundColor);
        layers.push(c);
        if (c[3] === 255) break;
      }
      return layers.reduceRight((under, c) => [0, 1, 2].map((i) => (c[i] * c[3] + under[i] * (255 - c[3])) / 255), [255, 255, 255]);
    };
    const found = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let t = texts.nextNode(); t; t = texts.nextNode()) {
      const e = t.parentElement;
      const style = getComputedStyle(e);
      const box = e.getBoundingClientRect();
      if (!t.data.trim() || box.width < 2 || box.height < 2 || style.visibility !== 'visible' || ['SCRIPT', 'NOSCRIPT', 'TITLE'].includes(e.tagName.toUpperCase())) continue;
      const drawn = e.namespaceURI.endsWith('svg') ? style.fill : style.color;
      const [a, b] = [luminance(rgba(drawn)), luminance(ground(e))].sort((x, y) => y - x);
      const size = parseFloat(style.fontSize);
      const needs = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
      const ratio = (a + 0.05) / (b + 0.05);
      if (ratio < needs) found.push(`"${t.data.trim().slice(0, 30)}" ${ratio.toFixed(2)}`);
    }
    return [...new Set(found)];
  });
  assert.deepEqual(poor, [], `${what}: too little contrast`);
}

/** Controls that a screen reader could not name. */
export async function named(page, what) {
  const nameless = await page.evaluate(() => [...document.querySelectorAll('button, a[href], input, select, textarea')]
    .filter((e) => !(e.textContent.trim() || e.ariaLabel || e.labels?.length))
    .map((e) => e.outerHTML.slice(0, 80)));
  assert.deepEqual(nameless, [], `${what}: controls without a name`);
}
