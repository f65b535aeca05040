// Selvedge's client for browsers and other JavaScript hosts: one socket to an
// edge that resumes by itself. JSON codec, no dependencies, no build step.
// The class is the whole public surface with its documentation, hence its length;
// what it does is in the modules beside it.
//
//   import { connect } from '/sdk/selvedge.js';
//   const client = connect({ edges: 'https://edge.example.com', token: () => fetchToken() });
//   client.on('message', (m) => console.log(m.ch, m.from, m.data));
//   await client.publish('room:general', { text: 'hello' });

import { Connection, MAX_MESSAGE } from './connection.js';
import { Cursor } from './cursor.js';
import { Edges, endpoint } from './edges.js';
import { Objects, behind, chunks } from './objects.js';
import { Requests, SelvedgeError } from './requests.js';

export { SelvedgeError };

const VERSION = 'selvedge-js/1';
const BACKOFF_BASE_MS = 250;
const BACKOFF_CAP_MS = 15_000;
/** What clients are spread over whom an edge told when to come. */
const SPREAD_MS = 1000;
const PACED = 'the edge asks to be left alone for now';
/** A session that lived this long was a good one: its end starts the backoff anew. */
const GOOD_SESSION_MS = 5000;
/** When an edge is asked again that could not answer for what is watched. */
const WATCH_AGAIN_MS = 5000;
/** The longest delay that setTimeout takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** After so many failures in a row, one more of an edge that welcomes makes it be left. */
const SAME_EDGE = 2;
/**
 * How long after a reconnect, at most, it is looked whether another edge is nearer;
 * so many times, after twice as long each time.
 */
const NEARER_MS = 30_000;
const NEARER_TIMES = 5;

/** How often the edges of the cluster are asked for. */
const LEARN_MS = 600_000;
/** The same as long as only one is known: at once, after this, and then ever less often. */
const ALONE_MS = 1000;
const ALONE_CAP_MS = 60_000;

const CLOSE = { goingAway: 1001, expired: 4002, rateLimited: 4008, restart: 1012 };
/** Closes that no further attempt would change. */
const FINAL = new Map([[4001, 'unauthorized'], [4003, 'forbidden'], [4004, 'bad_request']]);
/** Closes that blame this SDK. */
const DEFECTS = new Set([1002, 1003, 1007, 1009]);

/**
 * @typedef {object} Options
 * @property {string|string[]} edges URLs of edges, best first; others are learned from them
 * @property {string|(() => string|Promise<string>)} token a client token, or what fetches one: asked again when it expires
 * @property {string[]} [topics] topics to subscribe to from the start
 * @property {string[]|null} [focus] the rooms that have the focus from the start; null = all
 * @property {number} [objects] how many documents are kept, beside those that are watched; 10,000 if absent
 * @property {boolean} [nearest] measure the round trip to the first three edges that the given ones name, and start at
 *   the best; look again when the network changes, and some times after a reconnect
 * @property {string} [team] whose edge is wanted: where a team's clients meet. Absent: the token's claim `team`
 * @property {typeof globalThis.WebSocket} [WebSocket] another implementation
 * @property {typeof globalThis.fetch} [fetch] another implementation
 */

/**
 * Where a client is. `connecting`: never connected yet. `closed`: for good.
 * @typedef {object} State
 * @property {'connecting'|'connected'|'reconnecting'|'closed'} state
 * @property {import('./edges.js').Edge} [edge]
 * @property {boolean} [resumed] connected: exactly what was missed follows
 * @property {number} [retryInMs] reconnecting: how long until the next attempt
 * @property {number} [attempt] reconnecting: how many failed in a row
 * @property {string} [reason]
 * @property {number} [code] the close code; 0 = given up by this side
 */

/**
 * Connects, and stays connected until `close` or a final refusal.
 *
 * Events (`on(name, listener)`): `state` ({@link State}), `edge` (another edge
 * serves), `welcome`, `message`, `joined`, `left`, `live`, `gap`, `signal`,
 * `activity` as on the wire, `object` (`{key, v, data}`: a newer version of a
 * document, whatever brought it; data of null: it is gone, or not to be seen any
 * more. {@link Client#object} has it already), `error` (a {@link SelvedgeError} that no
 * call can be blamed for).
 * @param {Options} options
 */
export function connect(options) {
  return new Client(options);
}

class Client {
  #o;
  #cursor = new Cursor();
  #requests = new Requests();
  #objects;
  /** Changes that a welcome brought: told after it. @type {any[]|null} */
  #news = null;
  #edges;
  /** @type {Connection|null} */ #connection = null;
  #edge = null;
  #live = false; // welcomed, and not cut since
  /** @type {State} */ #state = { state: 'connecting' };
  #topics = new Set();
  #token = undefined;
  #user = '';
  #servedBy = '';
  #failures = 0;
  /** Goes up with each attempt and with close: what belongs to an older one stays silent. */
  #turn = 0;
  #timers = { retry: 0, leave: 0, refresh: 0, learn: 0, watch: 0, nearer: 0 };
  #welcomes = 0;
  #hole = '';
  /** Where a goaway said to go. @type {import('./edges.js').Edge[]|null} */
  #hint = null;
  #listeners = new Map();

  constructor(options) {
    const { edges, token, WebSocket = globalThis.WebSocket, fetch = globalThis.fetch } = options;
    if (!token) throw new TypeError('token is missing: give a client token, or a function that fetches one');
    this.#o = { ...options, WebSocket, token: typeof token === 'function' ? token : null };
    this.#token = typeof token === 'function' ? undefined : token;
    this.#topics = new Set(options.topics);
    this.#cursor.focus(options.focus ?? null);
    this.#objects = new Objects(options.objects, (change) => (this.#news ? this.#news.push(change) : this.#emit('object', change)));
    this.#edges = new Edges([edges].flat().filter(Boolean), options.nearest ?? false, (...a) => fetch(...a));
    this.#edges.team = options.team ?? '';
    globalThis.addEventListener?.('online', this.#moved);
    globalThis.navigator?.connection?.addEventListener?.('change', this.#moved);
    globalThis.document?.addEventListener('visibilitychange', this.#hurry);
    queueMicrotask(() => this.#dial());
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** What a resume would send. */
  get cursor() {
    return this.#cursor.toJSON();
  }

  /**
   * @param {string} event
   * @param {(detail: any) => void} listener what it throws is reported and harms nothing else
   * @returns {() => void} stops listening
   */
  on(event, listener) {
    const all = this.#listeners.get(event) ?? this.#listeners.set(event, new Set()).get(event);
    all.add(listener);
    return () => all.delete(listener);
  }

  /**
   * Publishes once, also over a cut connection: it is sent again with the same id.
   * @param {string} ch
   * @param {any} data
   * @param {{msgId?: string, refs?: string[]}} [options]
   * @returns {Promise<{p: number, seq: number, epoch: string}>}
   */
  async publish(ch, data, { msgId = randomId(), refs } = {}) {
    return this.#ask({ t: 'publish', ch, data, msg_id: msgId, ...(refs && { refs }) });
  }

  /**
   * @param {string} ch a topic: rooms and the inbox need no subscribing
   * @param {{since?: number}} [options] the position to start after; now, if absent
   */
  async subscribe(ch, { since } = {}) {
    return this.#ask({ t: 'subscribe', ch, ...(since !== undefined && { since }) }, (reply) => {
      if (this.#topics.has(ch) && since === undefined) return; // had it already: nothing moves
      this.#topics.add(ch);
      this.#cursor.subscribed({ ch, p: reply.p, from: since ?? reply.seq });
    });
  }

  /** @param {string} ch */
  async unsubscribe(ch) {
    this.#topics.delete(ch);
    this.#cursor.unsubscribed(ch);
    return this.#ask({ t: 'unsubscribe', ch });
  }

  /**
   * Documents of users and rooms, any number of them.
   * @param {string[]} keys like "user:1", "room:x"
   * @param {{watch?: boolean}} [options] watch: later versions come by themselves, over connections,
   *   until `unwatch`: the event `object` tells of each. An edge takes 1,000 of a session
   * @returns {Promise<{objects: Record<string, {v: number, data: any}>, missing: string[], stale?: boolean}>}
   */
  async get(keys, { watch = false } = {}) {
    const all = { objects: {}, missing: [] };
    const added = watch ? this.#objects.watch(keys) : [];
    try {
      for (const chunk of chunks(keys)) {
        for (let rest = chunk; rest.length > 0;) {
          const asked = rest;
          const reply = await this.#ask({ t: 'get', objects: asked, ...(watch && { watch }) }, (r) => {
            if (watch) this.#objects.agree(asked);
            this.#objects.learn(r);
          });
          Object.assign(all.objects, reply.objects);
          all.missing.push(...(reply.missing ?? []));
          if (reply.stale) all.stale = true;
          rest = behind(asked, reply.next);
        }
      }
    } catch (e) {
      this.#objects.unwatch(added);
      throw e;
    }
    return all;
  }

  /** Ends the watch of documents. @param {string[]} keys */
  async unwatch(keys) {
    this.#objects.unwatch(keys);
    for (const chunk of chunks(keys)) await this.#ask({ t: 'unwatch', objects: chunk });
  }

  /**
   * The newest version known of a document: of what welcome, joined, replies and
   * objects told. That of a message's author comes right before the message, or
   * right after it where the edge had to ask for it itself.
   * @param {string} key like "user:1", "room:x"
   * @returns {{v: number, data: any}|undefined}
   */
  object(key) {
    return this.#objects.get(key);
  }

  /**
   * Has frames come of these rooms only, beside topics and the inbox; of the
   * others the event `activity` tells that there are some. Kept over connections.
   * @param {string[]|null} rooms at most 100; null = all
   */
  async focus(rooms) {
    await this.#ask({ t: 'focus', rooms }, (reply) => this.#cursor.focus(rooms, reply.late));
  }

  /**
   * Users by the beginning of a name or an id, the best match first.
   * @param {{room?: string, prefix: string, limit?: number}} query members of `room`, or of any of the user's rooms
   * @returns {Promise<{users: {id: string, v: number, data: any}[], stale?: boolean}>}
   */
  async search({ room, prefix, limit }) {
    return this.#ask({ t: 'search', prefix, ...(room && { room }), ...(limit && { limit }) }, (reply) => {
      for (const user of reply.users) this.#objects.put(`user:${user.id}`, user);
    });
  }

  /**
   * @param {string} room
   * @param {{after?: string, limit?: number}} [page]
   * @returns {Promise<{members: string[], next?: string, member_count: number, stale?: boolean}>}
   */
  async members(room, page) {
    return this.#ask({ t: 'members', room, ...page });
  }

  /**
   * The user's rooms, as in welcome.
   * @param {{after?: string, limit?: number}} [page]
   */
  async rooms(page) {
    return this.#ask({ t: 'rooms', ...page }, (reply) => this.#learnRooms(reply.rooms));
  }

  /**
   * A page of a channel, oldest first.
   * @param {string} ch
   * @param {{before?: number, after?: number, limit?: number}} [page]
   * @returns {Promise<{frames: any[], floor: number, last: number, stale?: boolean}>}
   */
  async history(ch, page) {
    return this.#ask({ t: 'history', ch, ...page });
  }

  /**
   * Something that is not kept: typing, cursors. Best effort.
   * @param {string} ch
   * @param {any} data
   * @returns {boolean} whether it went out
   */
  signal(ch, data) {
    return this.#live && this.#connection.send({ t: 'signal', ch, data });
  }

  /** The round trip to the edge. @returns {Promise<number>} in ms */
  async ping() {
    if (!this.#live) throw new SelvedgeError('unavailable', 'not connected to an edge');
    return this.#connection.ping();
  }

  /** Ends it. What still waits for an answer is refused with `closed`. */
  close() {
    this.#finish('closed', 'closed by the application', 1000);
  }

  async #ask(message, onreply) {
    if (this.#state.state === 'closed') throw new SelvedgeError('closed', 'this client is closed: connect anew');
    return this.#requests.ask(message, this.#send, onreply);
  }

  #send = (text) => this.#live && this.#connection.send(text);

  async #dial() {
    const turn = ++this.#turn;
    clearTimeout(this.#timers.retry);
    this.#timers.retry = 0;
    const given = this.#fetchToken();
    try {
      const [edge, token] = await Promise.all([this.#edges.current(given), given]);
      if (turn !== this.#turn || this.#state.state === 'closed') return;
      this.#edge = edge;
      if (this.#failures === 0 && this.#edges.choose() > 0) return this.#retry({ code: 0, reason: PACED });
      const hello = this.#hello(token);
      this.#connection = new Connection({
        WebSocket: this.#o.WebSocket,
        // An edge in a storm takes those first that come back.
        url: endpoint(edge.url, hello.resume ? 'v1/socket?resume=1' : 'v1/socket', 'ws'),
        hello,
        onmessage: (m) => turn === this.#turn && this.#receive(m),
        onend: (end) => turn === this.#turn && this.#ended(end),
      });
    } catch (e) {
      if (turn !== this.#turn) return;
      this.#emit('error', new SelvedgeError('unavailable', `can't connect: ${e.message}`));
      this.#retry({ code: 0, reason: e.message });
    }
  }

  async #fetchToken() {
    this.#token ??= await this.#o.token();
    const { team = '' } = claims(this.#token);
    this.#edges.team = this.#o.team ?? String(team);
    return this.#token;
  }

  #hello(token) {
    const focus = this.#cursor.focused;
    const hello = { t: 'hello', token, client: VERSION, ...(this.#topics.size > 0 && { topics: [...this.#topics] }), ...(focus && { focus }) };
    if (!this.#cursor.started) return hello;
    const resume = { ...hello, resume: this.#cursor.toJSON() };
    // A cursor that no edge would take must not keep the client away for ever.
    return JSON.stringify(resume).length < MAX_MESSAGE ? resume : hello;
  }

  #receive(m) {
    switch (m.t) {
      case 'welcome': return this.#welcome(m);
      case 'message': return this.#message(m);
      case 'joined':
        this.#cursor.joined(m);
        this.#objects.put(`room:${m.room.id}`, m.room);
        break;
      case 'left': this.#cursor.left(m); break;
      case 'live': this.#cursor.live(m); break;
      case 'gap': this.#cursor.gap(m); break;
      case 'cursor': return this.#cursor.moved(m);
      case 'reply': return this.#requests.reply(m);
      case 'error':
        if (!this.#requests.error(m)) this.#emit('error', new SelvedgeError(m.code, m.message));
        return undefined;
      case 'goaway': return this.#goaway(m);
      case 'object': return this.#objects.put(m.key, m);
      case 'activity': this.#cursor.place(m.ch, m.p); break;
      case 'signal': break;
      default: return undefined; // a newer server's: not for us
    }
    return this.#emit(m.t, m);
  }

  #welcome(m) {
    if (m.resumed) this.#cursor.resume();
    else {
      this.#cursor.start(m.cursor);
      this.#objects.clear();
    }
    this.#live = true;
    this.#user = m.user.id;
    this.#requests.resume(this.#send); // before listeners ask for more
    this.#watchAgain();
    const news = (this.#news = []);
    this.#objects.put(`user:${m.user.id}`, m.user);
    this.#learnRooms(m.rooms);
    this.#news = null;
    this.#planRefresh();
    this.#planLearning(0);
    if (this.#welcomes++ > 0) this.#planNearer(0);
    const edge = { ...this.#edge, ...m.edge };
    const moved = edge.id !== this.#servedBy;
    this.#servedBy = edge.id;
    this.#setState({ state: 'connected', edge, resumed: m.resumed });
    if (moved) this.#emit('edge', edge);
    this.#emit('welcome', m);
    for (const change of news) this.#emit('object', change);
  }

  #learnRooms(rooms) {
    for (const room of rooms) {
      this.#cursor.place(`room:${room.id}`, room.p);
      this.#objects.put(`room:${room.id}`, room);
    }
  }

  /** Asks a new edge for what is watched; if it can't answer now, once more in a while. */
  #watchAgain(keys = this.#objects.agreed) {
    for (const chunk of chunks(keys)) {
      const message = { t: 'get', objects: chunk, watch: true };
      this.#requests.ask(message, this.#send, (reply) => {
        this.#objects.learn(reply);
        this.#watchAgain(behind(chunk, reply.next));
      }, true).catch((e) => {
        if (!this.#live) return;
        this.#emit('error', e);
        clearTimeout(this.#timers.watch);
        this.#timers.watch = setTimeout(() => this.#watchAgain(), WATCH_AGAIN_MS);
      });
    }
  }

  #message(m) {
    const verdict = this.#cursor.accept(m);
    if (verdict === 'seen') return;
    if (verdict === 'hole') {
      // Resume once to fill it. If it is there again, say openly that frames are gone.
      const from = this.#cursor.covered(m.ch, m.p) + 1;
      const hole = `${m.ch} ${from} ${m.prev}`;
      if (this.#hole !== hole) {
        this.#hole = hole;
        this.#emit('error', new SelvedgeError('hole', `${m.ch}: frames between ${from} and ${m.prev} are missing; resuming`));
        this.#drop();
        return this.#ended({ code: 0, reason: 'a frame was missing', welcomed: true, lived: 0 });
      }
      const gap = { t: 'gap', ch: m.ch, p: m.p, from, to: m.prev };
      this.#cursor.gap(gap);
      this.#emit('gap', gap);
      this.#cursor.accept(m);
    }
    if (m.from === this.#user && m.msg_id) this.#requests.echoed(m, this.#cursor.epoch);
    this.#emit('message', m);
  }

  /** @param {import('./connection.js').End} end */
  #ended({ code, reason, welcomed, lived }) {
    this.#drop();
    if (FINAL.has(code)) return this.#finish(FINAL.get(code), reason || 'refused by the edge', code);
    if (DEFECTS.has(code)) {
      this.#emit('error', new SelvedgeError('defect', `the edge closed with ${code} ${reason}: a defect of this SDK`));
    }
    if (code === CLOSE.expired) {
      if (!this.#o.token) return this.#finish('unauthorized', 'the token expired: give a function that fetches tokens', code);
      this.#token = undefined;
    }
    if (lived >= GOOD_SESSION_MS) this.#failures = 0;
    if (code === CLOSE.rateLimited) this.#failures = Math.max(this.#failures, 4);
    // A cut may be a blip: the same edge has what we need in its cache.
    if (this.#hint) this.#takeHint();
    else if (!welcomed || this.#failures >= SAME_EDGE || code === CLOSE.goingAway || code === CLOSE.restart) this.#edges.next();
    const again = !welcomed && this.#failures > 0;
    this.#retry({ code, reason });
    if (again) this.#askWhy(this.#edge);
  }

  /**
   * Pages are not told of an edge's 503, nor of its Retry-After. So an edge that failed
   * again is asked for the others: if it refuses clients for their number, it says
   * there when to come, and is left alone until then.
   */
  async #askWhy(edge) {
    const turn = this.#turn;
    await this.#edges.learn(edge);
    if (turn !== this.#turn || this.#timers.retry === 0 || this.#edges.choose() === 0) return;
    this.#failures--; // it is the same wait
    this.#retry({ code: 0, reason: PACED });
  }

  /**
   * Full jitter: any moment in a window that doubles. The first one is short. Where
   * an edge said when to come, it knows better.
   */
  #retry({ code, reason }) {
    const rest = this.#edges.choose();
    const window = rest > 0 ? SPREAD_MS : Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** this.#failures);
    const retryInMs = Math.round(rest + Math.random() * window);
    const attempt = ++this.#failures;
    clearTimeout(this.#timers.retry);
    this.#timers.retry = setTimeout(() => this.#dial(), retryInMs);
    const state = this.#state.state === 'connecting' ? 'connecting' : 'reconnecting';
    this.#setState({ state, retryInMs, attempt, code, reason });
  }

  /** The edge wants to be left: some time before the deadline, so that not all arrive elsewhere at once. */
  #goaway({ after_ms, edges }) {
    this.#hint = (edges ?? []).filter((e) => e?.url);
    clearTimeout(this.#timers.leave);
    this.#timers.leave = setTimeout(() => {
      this.#takeHint();
      this.#drop();
      this.#failures = 0;
      this.#setState({ state: 'reconnecting', retryInMs: 0, attempt: 0, code: CLOSE.goingAway, reason: 'goaway' });
      this.#dial();
    }, Math.random() * 0.9 * (after_ms ?? 0));
  }

  #takeHint() {
    this.#edges.prefer(this.#hint, this.#edge);
    this.#hint = null;
  }

  /** Lets go of the connection; what is under way waits for the next. */
  #drop() {
    this.#turn++;
    this.#live = false;
    this.#connection?.close();
    this.#connection = null;
    clearTimeout(this.#timers.leave);
    clearTimeout(this.#timers.refresh);
    clearTimeout(this.#timers.learn);
    clearTimeout(this.#timers.watch);
    clearTimeout(this.#timers.nearer);
    this.#requests.pause();
  }

  #finish(error, reason, code) {
    if (this.#state.state === 'closed') return;
    this.#drop();
    clearTimeout(this.#timers.retry);
    this.#timers.retry = 0;
    globalThis.removeEventListener?.('online', this.#moved);
    globalThis.navigator?.connection?.removeEventListener?.('change', this.#moved);
    globalThis.document?.removeEventListener('visibilitychange', this.#hurry);
    this.#requests.fail(new SelvedgeError(error, reason));
    this.#setState({ state: 'closed', code, reason });
  }

  /** The network is back, or somebody looks: don't wait out a timer. */
  #hurry = () => {
    if (globalThis.document?.visibilityState === 'hidden') return;
    if (this.#live) this.#connection.ping().catch(() => {});
    else if (this.#timers.retry !== 0 && this.#state.retryInMs > BACKOFF_BASE_MS) this.#dial();
  };

  /** Another network: what was nearest may be no more. */
  #moved = () => {
    if (!this.#o.nearest) return this.#hurry();
    if (this.#live) this.#nearer();
    else this.#edges.again();
    return this.#hurry();
  };

  /** Looks in a while whether another edge is nearer: not all clients of one that is back at once. */
  #planNearer(times) {
    if (!this.#o.nearest || times === NEARER_TIMES) return;
    this.#timers.nearer = setTimeout(() => {
      this.#nearer();
      this.#planNearer(times + 1);
    }, NEARER_MS * 2 ** times * (0.5 + Math.random() / 2));
  }

  /** Moves to an edge that is clearly nearer, if there is one. */
  async #nearer() {
    const turn = this.#turn;
    const found = await this.#edges.nearer(this.#edge).catch(() => false);
    if (!found || turn !== this.#turn) return;
    this.#drop();
    this.#hint = null; // of the edge that is left
    this.#failures = 0;
    this.#setState({ state: 'reconnecting', retryInMs: 0, attempt: 0, code: CLOSE.goingAway, reason: 'another edge is nearer' });
    this.#dial();
  }

  /** Fetches a new token before this one expires, where its `exp` can be read. */
  #planRefresh() {
    clearTimeout(this.#timers.refresh);
    const left = expiry(this.#token) - Date.now();
    if (!this.#o.token || !(left > 0)) return;
    this.#timers.refresh = setTimeout(async () => {
      const turn = this.#turn;
      const token = await Promise.resolve(this.#o.token()).catch(() => undefined);
      if (turn !== this.#turn || !token) return; // the edge will close with 4002: then again
      this.#token = token;
      this.#requests.ask({ t: 'refresh', token }, this.#send).catch((e) => this.#emit('error', e));
      if (expiry(token) - Date.now() > left / 2) this.#planRefresh();
    }, Math.min(left * 0.8, MAX_TIMER_MS));
  }

  /**
   * Asks for the other edges in a while: not all clients together after a
   * storm, but soon if there is nowhere else to go.
   * @param {number} times how often it asked since the welcome
   */
  #planLearning(times) {
    const alone = times === 0 ? 0 : Math.min(ALONE_CAP_MS, ALONE_MS * 2 ** (times - 1));
    const usual = (times === 0 ? LEARN_MS / 20 : LEARN_MS) * (0.5 + Math.random() / 2);
    clearTimeout(this.#timers.learn);
    this.#timers.learn = setTimeout(async () => {
      const turn = this.#turn;
      await this.#edges.learn(this.#edge);
      if (turn === this.#turn) this.#planLearning(times + 1);
    }, this.#edges.alone ? alone : usual);
  }

  #setState(state) {
    this.#state = state;
    this.#emit('state', state);
  }

  #emit(event, detail) {
    for (const listener of this.#listeners.get(event) ?? []) {
      try {
        listener(detail);
      } catch (e) {
        if (globalThis.reportError) reportError(e);
        else queueMicrotask(() => { throw e; });
      }
    }
  }
}

/** When a JWT expires, in Unix ms; NaN if it doesn't say. */
function expiry(token) {
  return claims(token).exp * 1000;
}

/** What a JWT claims, unchecked; {} if it can't be read. */
function claims(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) ?? {};
  } catch {
    return {};
  }
}

/** 128 random bits. randomUUID needs a secure context, this does not. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}
