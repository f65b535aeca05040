// The cursor: how far a client got, and all that it needs to resume. Pure
// logic: no clock, no socket. docs: "Resume, exactly" in the protocol.

const ROOM = 'room:';

/**
 * What goes into `hello` as `resume`.
 * @typedef {object} CursorJSON
 * @property {string} epoch identity of the logs
 * @property {Record<string, number>} at position per frame log
 * @property {Record<string, number>} [behind] channels whose position is their own
 * @property {number} v state number of the memberships seen
 */

/**
 * A channel that does not stand where its log stands.
 * @typedef {object} Own
 * @property {number|undefined} p its log; undefined until a frame or reply told it
 * @property {number} seq everything of the channel up to here was received
 * @property {boolean} late back frames may still come: nothing but they and `live` move it
 */

export class Cursor {
  epoch = '';
  v = 0;
  /** @type {Map<number, number>} */
  #at = new Map();
  /** @type {Map<string, Own>} */
  #own = new Map();
  /**
   * The last frame taken of each channel. A room joined again is announced from
   * where it stood then, and an edge that learned of it late has delivered
   * frames beyond that: they must not come twice.
   * @type {Map<string, number>}
   */
  #last = new Map();
  /** The log of each channel, as far as it was told. @type {Map<string, number>} */
  #logs = new Map();
  /**
   * The rooms that have the focus; null = there is none, and frames come of all.
   * @type {Set<string>|null}
   */
  #shown = null;

  /** Whether there is anything to resume from. */
  get started() {
    return this.epoch !== '';
  }

  /**
   * Starts afresh from a welcome with `resumed: false`.
   * @param {CursorJSON} c
   */
  start(c) {
    this.epoch = c.epoch;
    this.v = c.v;
    this.#last.clear();
    this.#logs.clear();
    this.#own.clear();
    this.#at = new Map(Object.entries(c.at).map(([p, seq]) => [Number(p), seq]));
    for (const [ch, seq] of Object.entries(c.behind ?? {})) this.#begin(ch, undefined, seq);
  }

  /**
   * A channel's log: `live` and the reply to a focus don't say it.
   * @param {string} ch
   * @param {number} p
   */
  place(ch, p) {
    this.#logs.set(ch, p);
  }

  /** The rooms that have the focus, sorted; null = all. */
  get focused() {
    return this.#shown && [...this.#shown].sort();
  }

  /**
   * Which rooms the session gets frames of, and which of them are late, and from
   * where: what the edge says in its reply, or nothing for what hello says. A
   * room that loses the focus gives no `live` any more: it waits for none. Frames
   * of it that are withheld count as had, as far as its log is.
   * @param {string[]|null} rooms null = all
   * @param {Record<string, number>} [late]
   */
  focus(rooms, late = {}) {
    this.#shown = rooms && new Set(rooms);
    for (const [ch, own] of this.#own) {
      if (!this.#hides(ch)) continue;
      own.late = false;
      this.#settle(ch);
    }
    for (const [ch, from] of Object.entries(late)) this.#begin(ch, undefined, from);
  }

  /**
   * A welcome with `resumed: true`: the replay starts where this cursor stands.
   * The welcome's own numbers are an echo and move nothing: a cut before the
   * replayed `joined` must ask for them again. Channels with a position of
   * their own may be late once more, until `live` says otherwise.
   */
  resume() {
    for (const [ch, own] of this.#own) own.late = !this.#hides(ch);
  }

  /**
   * Up to where channel `ch` of log `p` was received; undefined is unknown,
   * which is not zero.
   * @param {string} ch
   * @param {number} p
   * @returns {number|undefined}
   */
  covered(ch, p) {
    return this.#own.get(ch)?.seq ?? this.#at.get(p);
  }

  /**
   * Takes a frame. 'new' has moved the cursor; 'seen' and 'hole' move nothing.
   * A hole means that a frame of the channel before this one never came. For a
   * channel that was never heard, the log's position can't tell.
   * @param {{ch: string, p: number, seq: number, prev: number, back?: boolean}} m
   * @returns {'new'|'seen'|'hole'}
   */
  accept(m) {
    const covered = this.covered(m.ch, m.p);
    if (m.seq <= covered) return 'seen';
    if (m.prev > covered && (this.#last.has(m.ch) || this.#own.has(m.ch))) return 'hole';
    this.#last.set(m.ch, m.seq);
    this.#logs.set(m.ch, m.p);
    if (m.back) {
      this.#own.set(m.ch, { p: m.p, seq: m.seq, late: true });
      return 'new';
    }
    // Live frames of a late channel wait for its back frames: an unmarked one
    // says that it has caught up, even without a `live`.
    const own = this.#own.get(m.ch);
    if (own) Object.assign(own, { p: m.p, seq: m.seq, late: false });
    this.#advance(m.p, m.seq);
    return 'new';
  }

  /**
   * A room joined: every frame after `from` comes, wherever the log stands.
   * Its position is its own from this moment, so that a cut before the first
   * back frame loses nothing and a `cursor` message can't cover it. Out of focus
   * neither frames nor `live` come: it waits for none.
   * @param {{ch: string, p: number, from: number, v: number}} m
   */
  joined(m) {
    this.v = Math.max(this.v, m.v);
    this.place(m.ch, m.p);
    this.#begin(m.ch, m.p, m.from);
  }

  /**
   * A room that delivers no more.
   * @param {{ch: string, v: number}} m
   */
  left(m) {
    this.v = Math.max(this.v, m.v);
    this.#own.delete(m.ch);
  }

  /** A topic that delivers no more. @param {string} ch */
  unsubscribed(ch) {
    this.#own.delete(ch);
    this.#last.delete(ch);
  }

  /**
   * A topic subscribed: frames after `from` come, the missed ones as back
   * frames, even if they came before: asking for them again is one's own wish.
   * @param {{ch: string, p: number, from: number}} m
   */
  subscribed(m) {
    this.#last.delete(m.ch);
    this.#own.set(m.ch, { p: m.p, seq: m.from, late: true });
  }

  /**
   * The back frames of a channel are through.
   * @param {{ch: string, seq: number}} m
   */
  live(m) {
    const own = this.#own.get(m.ch);
    this.#own.set(m.ch, { p: own?.p ?? this.#logs.get(m.ch), seq: Math.max(own?.seq ?? 0, m.seq), late: false });
    this.#settle(m.ch);
  }

  /**
   * Frames that are gone count as received. The channel gets a position of its
   * own: other channels of the log may still have frames before `to`.
   * @param {{ch: string, p: number, to: number}} m
   */
  gap(m) {
    const own = this.#own.get(m.ch);
    const covered = this.covered(m.ch, m.p);
    if (covered !== undefined && covered >= m.to) return;
    this.#own.set(m.ch, { p: m.p, seq: m.to, late: own?.late ?? false });
    this.#settle(m.ch);
  }

  /**
   * "You have everything of yours up to here", except late channels.
   * @param {{at: Record<string, number>, v: number}} m
   */
  moved(m) {
    this.v = Math.max(this.v, m.v);
    for (const [p, seq] of Object.entries(m.at)) this.#advance(Number(p), seq);
  }

  /** @returns {CursorJSON} */
  toJSON() {
    const behind = Object.fromEntries([...this.#own].map(([ch, own]) => [ch, own.seq]));
    return {
      epoch: this.epoch,
      at: Object.fromEntries(this.#at),
      ...(this.#own.size > 0 && { behind }),
      v: this.v,
    };
  }

  /** Frames of `ch` after `from` come as those of a late channel, if it is shown. */
  #begin(ch, p, from) {
    const own = this.#own.get(ch);
    const seq = Math.max(from, this.#last.get(ch) ?? 0, own?.seq ?? 0);
    this.#own.set(ch, { p: p ?? own?.p ?? this.#logs.get(ch), seq, late: !this.#hides(ch) });
    this.#settle(ch);
  }

  /** Whether `ch` is a room out of focus. Topics and the inbox are none. */
  #hides(ch) {
    return this.#shown !== null && ch.startsWith(ROOM) && !this.#shown.has(ch.slice(ROOM.length));
  }

  #advance(p, seq) {
    if (seq <= (this.#at.get(p) ?? -1)) return;
    this.#at.set(p, seq);
    for (const [ch, own] of this.#own) if (own.p === p) this.#settle(ch);
  }

  /** Forgets a channel's own position once its log has passed it. */
  #settle(ch) {
    const own = this.#own.get(ch);
    if (!own || own.late || own.p === undefined) return;
    if ((this.#at.get(own.p) ?? -1) >= own.seq) this.#own.delete(ch);
  }
}
