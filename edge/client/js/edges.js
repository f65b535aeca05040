// Which edge to try: the ones known, in order; more of them asked of any that
// answers; the nearest by a race of pings.

/** @typedef {{url: string, id?: string, region?: string}} Edge */

const DISCOVER_MS = 3000;
const RACE_MS = 2000;
const RACERS = 3;

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

  /** The edge to try now. @returns {Promise<Edge>} */
  async current() {
    if (!this.#ranked) {
      this.#ranked = true;
      await this.#rank();
    }
    return this.#list[0];
  }

  /** Goes to the next edge: the one tried goes to the end of the line. */
  next() {
    this.#list = [...this.#list.slice(1), this.#list[0]];
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

  /** Orders the edges by the time that a ping takes; those that don't answer come last. */
  async #rank() {
    let list = this.#given;
    for (const edge of this.#given) {
      const found = await this.#ask(edge).catch(() => []);
      if (found.length === 0) continue;
      list = unique([...found, ...this.#given]);
      break;
    }
    const racers = list.slice(0, RACERS);
    const took = await Promise.all(racers.map((e) => this.#ping(e).catch(() => Infinity)));
    const order = racers.map((e, i) => ({ e, ms: took[i] })).sort((a, b) => a.ms - b.ms || 0);
    const answered = order.filter((o) => o.ms < Infinity).map((o) => o.e);
    this.#list = unique([...answered, ...list.slice(RACERS), ...racers]);
  }

  async #ask(edge) {
    const answer = await this.#get(edge, 'v1/edges', DISCOVER_MS);
    const { edges } = await answer.json();
    return edges.filter((e) => typeof e?.url === 'string' && e.url !== '');
  }

  /** The second of two pings counts: the first one pays for the connection. */
  async #ping(edge) {
    await (await this.#get(edge, 'v1/ping', RACE_MS)).text();
    const start = performance.now();
    await (await this.#get(edge, 'v1/ping', RACE_MS)).text();
    return performance.now() - start;
  }

  async #get(edge, path, ms) {
    const answer = await this.#fetch(endpoint(edge.url, path, 'http'), {
      cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(ms),
    });
    if (!answer.ok) throw new Error(`${answer.url}: status ${answer.status}`);
    return answer;
  }
}

/** First of each URL wins; a trailing slash makes no other edge. @param {Edge[]} edges */
function unique(edges) {
  const seen = new Map();
  for (const e of edges) seen.set(key(e), { ...e, ...seen.get(key(e)) });
  return [...seen.values()];
}

const key = (edge) => edge.url.replace(/\/+$/, '');
