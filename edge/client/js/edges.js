// Which edge to try: the ones known, in order; more of them asked of any that
// answers; the nearest by a race of pings.

/** @typedef {{url: string, id?: string, region?: string}} Edge */

const DISCOVER_MS = 3000;
const RACE_MS = 2000;
const RACERS = 3;
const LAPS = 2;
/** The least time that the others have once the first is through. */
const GRACE_MS = 100;
/**
 * An edge that is named first is left for a quicker one only if that is quicker by
 * more than this, or by more than this part: the order that edges are named in knows
 * of load and teams, and a round trip trembles.
 */
const SLACK_MS = 10;
const SLACK_PART = 4;
const FAILED = -1;
const LATE = -2;
/** The longest that an edge can ask to be left alone. */
const REST_CAP_MS = 60_000;

/**
 * An endpoint of an edge.
 * @param {string} base the edge's URL: http(s) or ws(s)
 * @param {string} path
 * @param {'http'|'ws'} scheme
 */
export function endpoint(base, path, scheme) {
  let url;
  try {
    url = new URL(path, base.endsWith('/') ? base : base + '/');
  } catch {
    throw new TypeError(`edge "${base}" is not a URL: give one like https://edge.example.com`);
  }
  const secure = url.protocol === 'https:' || url.protocol === 'wss:';
  if (!secure && url.protocol !== 'http:' && url.protocol !== 'ws:') {
    throw new TypeError(`edge "${base}" has scheme ${url.protocol} but needs http, https, ws or wss`);
  }
  url.protocol = scheme + (secure ? 's:' : ':');
  return url.href;
}

export class Edges {
  /** @type {Edge[]} */ #list;
  /** @type {Edge[]} */ #given;
  #fetch;
  #ranked;
  /** Whose edge is wanted; '' = nobody's. */
  team = '';
  /** Until when edges asked to be left alone, by URL. @type {Map<string, number>} */
  #rests = new Map();

  /**
   * @param {string[]} urls edges that the application knows, best first
   * @param {boolean} nearest whether to race them before the first connection
   * @param {typeof fetch} fetch
   */
  constructor(urls, nearest, fetch) {
    if (urls.length === 0) throw new TypeError('edges is empty: give the URL of one edge at least');
    for (const url of urls) endpoint(url, '', 'http');
    this.#given = urls.map((url) => ({ url }));
    this.#list = this.#given;
    this.#fetch = fetch;
    this.#ranked = !nearest;
  }

  /**
   * The edge to try now.
   * @param {Promise<any>} [ready] by when the team is known, if it is to be asked for
   * @returns {Promise<Edge>}
   */
  async current(ready) {
    if (!this.#ranked) {
      this.#ranked = true;
      await ready?.catch(() => {});
      await this.#rank();
      this.choose();
    }
    return this.#list[0];
  }

  /** Goes to the next edge: the one tried goes to the end of the line. */
  next() {
    this.#list = [...this.#list.slice(1), this.#list[0]];
  }

  /**
   * Puts the edges that asked to be left alone behind the others.
   * @returns {number} how long to leave the first one alone, in ms; 0 = it asked for nothing
   */
  choose() {
    const now = Date.now();
    for (const [url, until] of this.#rests) if (until <= now) this.#rests.delete(url);
    if (this.#rests.size === 0) return 0;
    const left = (e) => (this.#rests.get(key(e)) ?? now) - now;
    this.#list = [...this.#list].sort((a, b) => left(a) - left(b));
    return left(this.#list[0]);
  }

  /**
   * Puts edges that the server named in front. `leaving` goes last, unless it
   * is named: then it is the address of a whole region.
   * @param {Edge[]} named
   * @param {Edge} leaving
   */
  prefer(named, leaving) {
    const others = this.#list.filter((e) => key(e) !== key(leaving));
    this.#list = unique([...named, ...others, leaving]);
  }

  /** Whether only one edge is known: there is nowhere to go if it dies. */
  get alone() {
    return this.#list.length === 1;
  }

  /**
   * Learns the other edges of the cluster, behind the ones known. Those that
   * the cluster no longer names are forgotten, but for the given ones.
   * @param {Edge} from
   */
  async learn(from) {
    const found = await this.#ask(from).catch(() => []);
    if (found.length === 0) return;
    const kept = new Set([...this.#given, ...found, from].map(key));
    this.#list = unique([...this.#list, ...found]).filter((e) => kept.has(key(e)));
  }

  /** Asks for the edges, and puts the nearest of the first ones named in front. */
  async #rank() {
    let list = this.#given;
    for (const edge of this.#given) {
      const found = await this.#ask(edge).catch(() => []);
      if (found.length === 0) continue;
      list = unique([...found, ...this.#given]);
      break;
    }
    const racers = list.slice(0, RACERS);
    const took = await this.#measure(racers);
    const those = (is) => racers.filter((_, i) => is(took[i]));
    const failed = those((ms) => ms === FAILED);
    const rest = list.filter((e) => !failed.includes(e));
    const winner = racers[best(took)];
    this.#list = winner ? unique([winner, ...those((ms) => ms >= 0), ...rest, ...failed]) : list;
  }

  /**
   * Looks whether one of the first edges that the current one names is clearly
   * nearer: it is in front then.
   * @param {Edge} current
   */
  async nearer(current) {
    const found = await this.#ask(current);
    const now = Date.now();
    const fit = found.filter((e) => key(e) !== key(current) && !(this.#rests.get(key(e)) > now));
    const racers = [current, ...fit.slice(0, RACERS)];
    const winner = best(await this.#measure(racers));
    if (winner <= 0) return false;
    this.#list = unique([racers[winner], ...this.#list]);
    return true;
  }

  /** Has the edges raced again before the next dial. */
  again() {
    this.#ranked = false;
  }

  /**
   * The round trip to each edge in ms, all at once. When one is through, the others
   * get as long again: one that needs more than twice the time, connecting included, is
   * hardly the nearest.
   * @param {Edge[]} racers
   * @returns {Promise<number[]>} FAILED: doesn't answer; LATE: it was over before
   */
  async #measure(racers) {
    const stop = new AbortController();
    const start = performance.now();
    let end = setTimeout(() => stop.abort(), RACE_MS);
    let first = true;
    const took = await Promise.all(racers.map(async (edge) => {
      try {
        const ms = await this.#lap(edge, stop.signal);
        if (first) {
          first = false;
          clearTimeout(end);
          end = setTimeout(() => stop.abort(), Math.max(GRACE_MS, performance.now() - start));
        }
        return ms;
      } catch {
        return stop.signal.aborted ? LATE : FAILED;
      }
    }));
    clearTimeout(end);
    return took;
  }

  async #ask(edge) {
    const path = 'v1/edges' + (this.team && `?team=${encodeURIComponent(this.team)}`);
    const answer = await this.#get(edge, path, AbortSignal.timeout(DISCOVER_MS));
    const { edges, retry_after_ms: rest } = await answer.json();
    if (rest > 0) this.#rests.set(key(edge), Date.now() + Math.min(rest, REST_CAP_MS));
    return edges.filter((e) => typeof e?.url === 'string' && e.url !== '');
  }

  /** The quicker of two pings; one before them pays for the connection. */
  async #lap(edge, signal) {
    let quickest = Infinity;
    for (let i = 0; i <= LAPS; i++) {
      const start = performance.now();
      await (await this.#get(edge, 'v1/ping', signal)).text();
      if (i > 0) quickest = Math.min(quickest, performance.now() - start);
    }
    return quickest;
  }

  async #get(edge, path, signal) {
    const answer = await this.#fetch(endpoint(edge.url, path, 'http'), { cache: 'no-store', credentials: 'omit', signal });
    if (!answer.ok) throw new Error(`${answer.url}: status ${answer.status}`);
    return answer;
  }
}

/** The first whose time is about that of the quickest; -1 if none has one. @param {number[]} took */
function best(took) {
  const quickest = Math.min(...took.filter((ms) => ms >= 0));
  const slack = Math.max(SLACK_MS, quickest / SLACK_PART);
  return took.findIndex((ms) => ms >= 0 && ms <= quickest + slack);
}

/** First of each URL wins; a trailing slash makes no other edge. @param {Edge[]} edges */
function unique(edges) {
  const seen = new Map();
  for (const e of edges) seen.set(key(e), { ...e, ...seen.get(key(e)) });
  return [...seen.values()];
}

const key = (edge) => edge.url.replace(/\/+$/, '');
