// The world under test: `selvedge dev`, and a Chromium whose pages are watched
// for errors.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const BIN = process.env.SELVEDGE_BIN ?? fileURLToPath(new URL('../../bin/selvedge', import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const SCREENSHOTS = fileURLToPath(new URL('screenshots/', import.meta.url));
const READY_MS = 60_000;
const STOP_MS = 15_000;

export const DEMO = 'http://127.0.0.1:7400/';
export const CONSOLE = 'http://127.0.0.1:7403/';

export async function startWorld() {
  if (await ready()) throw new Error(`something answers at ${DEMO} already: stop it first`);
  mkdirSync(SCREENSHOTS, { recursive: true });
  const node = await startNode();
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  }).catch(async (e) => {
    await node.stop();
    throw e;
  });
  /** What pages complained about. @type {string[]} */
  const complaints = [];
  /** The message frames that each socket received, as they came. @type {{ch: string, seq: number}[][]} */
  const sessions = [];

  return {
    complaints,
    sessions,
    startMs: node.tookMs,
    /** A page in a context of its own. */
    async open(url, { width = 1280, height = 800, colorScheme = 'light', before } = {}) {
      const context = await browser.newContext({ viewport: { width, height }, colorScheme });
      const page = await context.newPage();
      page.setDefaultTimeout(20_000);
      page.on('console', (m) => {
        // A route that a test puts into a socket may pass a frame on to one that
        // has just closed. The SDK itself only sends on open ones (selvedge.test.js).
        const route = before && m.text().includes('already in CLOSING or CLOSED state');
        if (m.type() === 'error' && !route) complaints.push(`${page.url()}: ${m.text()}`);
      });
      page.on('pageerror', (e) => complaints.push(`${page.url()}: ${e}`));
      page.on('websocket', (socket) => sessions.push(record(socket)));
      await before?.(page);
      await page.goto(url);
      return page;
    },
    async stop() {
      await browser.close();
      await node.stop();
    },
  };
}

export function screenshot(page, name, options = {}) {
  return page.screenshot({ path: `${SCREENSHOTS}${name}.png`, ...options });
}

function record(socket) {
  const frames = [];
  socket.on('framereceived', ({ payload }) => {
    const { t, ch, seq } = JSON.parse(payload);
    if (t === 'message') frames.push({ ch, seq });
  });
  return frames;
}

async function ready() {
  return fetch(`${DEMO}readyz`, { signal: AbortSignal.timeout(1000) }).then((answer) => answer.ok, () => false);
}

async function startNode() {
  const child = spawn(BIN, ['dev'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => { said = (said + text).slice(-20_000); });
  }
  let failed = '';
  child.on('error', (e) => { failed = `${e.message}: build it first, or set SELVEDGE_BIN`; });
  child.on('exit', (code, signal) => { failed ||= `it ended with ${signal ?? code}`; });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(timer);
  };
  const start = Date.now();
  // It prints the curl line when everything runs and the demo's rooms are there.
  while (!said.includes('curl ') || !(await ready())) {
    if (!failed && Date.now() > start + READY_MS) failed = `it was not ready within ${READY_MS / 1000} s`;
    if (failed) {
      await stop();
      throw new Error(`${BIN} dev: ${failed}\n${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { stop, tookMs: Date.now() - start };
}
