// Requests that wait for an answer. They outlive a connection: what was not
// answered is sent again on the next one, in order.

import { MAX_MESSAGE } from './connection.js';

/** How long an answer may take on a living connection. */
const ANSWER_MS = 30_000;
/** Past this, an edge may have forgotten a msg_id: sending again could post twice. */
const RETRY_WINDOW_MS = 110_000;
/** Requests that may wait; more are refused at once. */
const MAX_WAITING = 1000;

/** What an edge, or this SDK, refused. `code` is stable: the HTTP API's codes, and `timeout`, `closed`, `unknown`. */
export class SelvedgeError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.name = 'SelvedgeError';
    this.code = code;
  }
}

export class Requests {
  #last = 0;
  /** @type {Map<number, any>} */
  #waiting = new Map();

  /**
   * @param {object} message without `id`
   * @param {(text: string) => boolean} send false = no connection now: the request waits for one
   * @param {(reply: any) => void} [onreply] called right when the answer comes, before what follows it
   * @param {boolean} [own] it is this SDK's, and ends with its connection: the promise then never settles
   */
  ask(message, send, onreply, own = false) {
    if (!own && this.#waiting.size >= MAX_WAITING) {
      throw new SelvedgeError('rate_limited', `${MAX_WAITING} requests wait for an answer already: wait for some`);
    }
    const id = ++this.#last;
    const size = new TextEncoder().encode(JSON.stringify({ ...message, id })).length;
    if (size > MAX_MESSAGE) {
      throw new SelvedgeError('too_large', `${message.t} has ${size} bytes, an edge takes ${MAX_MESSAGE}: publish large data from a backend`);
    }
    return new Promise((resolve, reject) => {
      const request = { id, message, resolve, reject, onreply, own, sent: 0, timer: 0 };
      this.#waiting.set(id, request);
      this.#send(request, send);
    });
  }

  /** An answer came. */
  reply(m) {
    const request = this.#take(m.id);
    if (!request) return;
    request.onreply?.(m);
    const { t: _, id: __, ...answer } = m;
    request.resolve(answer);
  }

  /** An error came. @returns {boolean} whether a request was waiting for it */
  error(m) {
    const request = this.#take(m.id);
    request?.reject(new SelvedgeError(m.code, m.message));
    return request !== undefined;
  }

  /**
   * The session's own frame came back before the answer to its publish, which
   * may have been lost with a connection.
   */
  echoed(frame, epoch) {
    for (const r of this.#waiting.values()) {
      const { t, ch, msg_id } = r.message;
      if (t !== 'publish' || ch !== frame.ch || msg_id !== frame.msg_id || !r.again) continue;
      this.#take(r.id);
      r.resolve({ p: frame.p, seq: frame.seq, epoch });
    }
  }

  /** The connection is gone: nothing times out until the next one. */
  pause() {
    for (const r of this.#waiting.values()) {
      clearTimeout(r.timer);
      if (r.own) this.#waiting.delete(r.id);
    }
  }

  /** A new connection: sends again what has no answer. */
  resume(send) {
    for (const r of this.#waiting.values()) {
      if (r.message.t === 'publish' && r.sent !== 0 && Date.now() - r.sent > RETRY_WINDOW_MS) {
        this.#take(r.id);
        r.reject(new SelvedgeError('unknown', 'the connection was cut for too long to know whether this was published: look at the history'));
        continue;
      }
      r.again = r.sent !== 0;
      this.#send(r, send);
    }
  }

  /** Refuses everything that waits. */
  fail(error) {
    for (const id of [...this.#waiting.keys()]) this.#take(id).reject(error);
  }

  #send(request, send) {
    if (!send(JSON.stringify({ ...request.message, id: request.id }))) return;
    request.sent ||= Date.now();
    request.timer = setTimeout(() => {
      // What the edge was told, and changes something here too, is seen through.
      if (request.onreply) request.own = true;
      else this.#take(request.id);
      request.reject(new SelvedgeError('timeout', `no answer to ${request.message.t} within 30 s`));
    }, ANSWER_MS);
  }

  #take(id) {
    const request = this.#waiting.get(id);
    if (!request) return undefined;
    this.#waiting.delete(id);
    clearTimeout(request.timer);
    return request;
  }
}
