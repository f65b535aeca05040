// One WebSocket from dial to close: hello, the wait for welcome, liveness.
// It ends once, and never speaks again after that.

/** How long an edge may take from the dial to `welcome`. */
const WELCOME_MS = 10_000;
/** How long an edge may take to answer a ping. */
const PONG_MS = 8000;
/** The largest message that an edge takes, in bytes. */
export const MAX_MESSAGE = 64 * 1024;

const OPEN = 1;

/**
 * Why a connection ended. Code 0 = this side gave it up.
 * @typedef {{code: number, reason: string, welcomed: boolean, lived: number}} End
 */

export class Connection {
  #ws;
  #on;
  #timer;
  #ended = false;
  #welcomed = 0;
  #heard = 0;
  #silence = Infinity;
  /** When the ping that has no answer yet was sent; 0 = none is out. */
  #pinged = 0;
  /** @type {{resolve: (ms: number) => void, reject: (e: Error) => void}[]} */
  #rtts = [];

  /**
   * @param {object} o
   * @param {typeof WebSocket} o.WebSocket
   * @param {string} o.url
   * @param {object} o.hello the first message
   * @param {(m: any) => void} o.onmessage
   * @param {(end: End) => void} o.onend called once, never after `close`
   */
  constructor({ WebSocket, url, hello, onmessage, onend }) {
    this.#on = { onmessage, onend };
    this.#timer = setTimeout(() => this.#giveUp('no welcome within 10 s'), WELCOME_MS);
    const ws = (this.#ws = new WebSocket(url, ['selvedge.v1.json']));
    ws.onopen = () => this.send(hello);
    ws.onmessage = (e) => this.#receive(e.data);
    ws.onclose = (e) => this.#end(e.code, e.reason);
    ws.onerror = () => {}; // a close event follows, with what there is to know
  }

  /** @returns {boolean} whether it went out */
  send(message) {
    if (this.#ended || this.#ws.readyState !== OPEN) return false;
    this.#ws.send(typeof message === 'string' ? message : JSON.stringify(message));
    return true;
  }

  /** Asks for a sign of life now. @returns {Promise<number>} the round trip in ms */
  ping() {
    return new Promise((resolve, reject) => {
      this.#rtts.push({ resolve, reject });
      this.#probe();
      if (this.#pinged === 0) this.#refusePings('not connected');
    });
  }

  /** Ends it from this side, without `onend`. */
  close(reason = '') {
    if (this.#ended) return;
    this.#stop();
    this.#ws.close(1000, reason);
  }

  #receive(data) {
    if (this.#ended) return;
    this.#heard = Date.now();
    let m;
    try {
      m = JSON.parse(data);
    } catch {
      return this.#giveUp('the edge sent a message that is not JSON');
    }
    if (m.t === 'welcome') {
      this.#welcomed = this.#heard;
      this.#silence = (m.ping || 25) * 1000;
      this.#watch(this.#silence);
    }
    if (m.t === 'pong') return this.#pong();
    this.#on.onmessage(m);
  }

  #pong() {
    const took = performance.now() - this.#pinged;
    this.#pinged = 0;
    for (const waiting of this.#rtts.splice(0)) waiting.resolve(took);
    this.#watch(this.#silence);
  }

  #probe() {
    if (this.#pinged !== 0 || !this.send({ t: 'ping' })) return;
    this.#pinged = performance.now();
    this.#watch(PONG_MS);
  }

  /** Checks in `ms` whether the edge is still there. */
  #watch(ms) {
    clearTimeout(this.#timer);
    const since = Date.now();
    this.#timer = setTimeout(() => {
      if (this.#pinged !== 0) {
        // Timers of a hidden page come late: whatever was heard meanwhile counts.
        if (this.#heard <= since) return this.#giveUp('no answer to a ping within 8 s');
        this.#pinged = 0;
      }
      const silent = Date.now() - this.#heard;
      if (silent < this.#silence) return this.#watch(this.#silence - silent);
      this.#probe();
    }, ms);
  }

  #giveUp(reason) {
    if (this.#ended) return;
    this.#ws.close(1000);
    this.#end(0, reason);
  }

  #end(code, reason) {
    if (this.#ended) return;
    this.#stop();
    const lived = this.#welcomed === 0 ? 0 : Date.now() - this.#welcomed;
    this.#on.onend({ code, reason, welcomed: this.#welcomed !== 0, lived });
  }

  #stop() {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#refusePings('the connection was cut');
  }

  #refusePings(why) {
    for (const waiting of this.#rtts.splice(0)) waiting.reject(new Error(why));
  }
}
