// Documents of users and rooms, as far as an edge told of them: of each the
// highest version. Pure state: no socket, no clock.

/** Documents that are kept, if nobody says how many. */
const KEPT = 10_000;
/** Keys of one `get`, at most: an edge's limits on their number, and on a message. */
const MAX_KEYS = 1000;
const MAX_KEY_BYTES = 48 * 1024;

/**
 * One version of a document.
 * @typedef {{v: number, data: any}} Doc
 */

export class Objects {
  #size;
  /** Least lately used first. Data of null: gone; kept so that an older word can't revive it. @type {Map<string, Doc>} */
  #kept = new Map();
  /**
   * What the application wants to be told of; these are never dropped. `agreed`:
   * an edge has answered, and each later connection asks again by itself.
   * @type {Map<string, {doc: Doc|undefined, agreed: boolean}>}
   */
  #watched = new Map();
  #onchange;

  /**
   * @param {number} [size] how many are kept beside those that are watched; 0 = none
   * @param {(change: {key: string, v: number, data: any}) => void} onchange a newer version, or data of null: gone
   */
  constructor(size = KEPT, onchange) {
    this.#size = size;
    this.#onchange = onchange;
  }

  /** @param {string} key @returns {Doc|undefined} undefined: never told of, gone, or dropped */
  get(key) {
    const doc = this.#find(key);
    return doc && doc.data !== null ? doc : undefined;
  }

  #find(key) {
    const watched = this.#watched.get(key);
    if (watched) return watched.doc;
    const doc = this.#kept.get(key);
    if (doc) {
      this.#kept.delete(key); // and in again, as the latest
      this.#kept.set(key, doc);
    }
    return doc;
  }

  /**
   * Takes a version. The higher one counts, whatever comes in which order.
   * @param {string} key
   * @param {{v: number, data: any}} doc
   */
  put(key, { v, data }) {
    // Version 0: nobody stored a document.
    if (!(v > (this.#find(key)?.v ?? 0))) return;
    const doc = { v, data: data ?? null };
    if (this.#keep(key, doc)) this.#onchange({ key, ...doc });
  }

  /** What a `get` brought. */
  learn({ objects = {}, missing = [], stale = false }) {
    for (const [key, doc] of Object.entries(objects)) this.put(key, doc);
    if (stale) return; // it may be from before it was there
    for (const key of missing) {
      const doc = this.get(key);
      // This word has no version of its own, and may be taken back by the same
      // version, of a room that is joined again: it counts as one less.
      if (doc && this.#keep(key, { v: doc.v - 1, data: null })) this.#onchange({ key, v: doc.v, data: null });
    }
  }

  #keep(key, doc) {
    const watched = this.#watched.get(key);
    if (watched) {
      watched.doc = doc;
      return true;
    }
    if (this.#size <= 0) return false;
    this.#kept.delete(key);
    this.#kept.set(key, doc);
    if (this.#kept.size > this.#size) this.#kept.delete(this.#kept.keys().next().value);
    return true;
  }

  /** Forgets all, but not what is wanted: versions of another epoch can't be compared with these. */
  clear() {
    this.#kept.clear();
    for (const watched of this.#watched.values()) watched.doc = undefined;
  }

  /** @param {string[]} keys @returns {string[]} those that were not watched before */
  watch(keys) {
    const added = keys.filter((key) => !this.#watched.has(key));
    for (const key of added) {
      this.#watched.set(key, { doc: this.#kept.get(key), agreed: false });
      this.#kept.delete(key);
    }
    return added;
  }

  /** An edge knows of these. @param {string[]} keys */
  agree(keys) {
    for (const key of keys) {
      const watched = this.#watched.get(key);
      if (watched) watched.agreed = true;
    }
  }

  /** @param {string[]} keys what is known of them stays, as anything else */
  unwatch(keys) {
    for (const key of keys) {
      const doc = this.#watched.get(key)?.doc;
      this.#watched.delete(key);
      if (doc) this.#keep(key, doc);
    }
  }

  /** What the next connection must be asked for again. @returns {string[]} */
  get agreed() {
    return [...this.#watched].filter(([, { agreed }]) => agreed).map(([key]) => key);
  }
}

/** Keys in portions that an edge takes. @param {string[]} keys @returns {string[][]} */
export function chunks(keys) {
  const out = [];
  const utf8 = new TextEncoder();
  let size = Infinity;
  for (const key of keys) {
    const bytes = utf8.encode(JSON.stringify(key)).length + 1;
    if (size + bytes > MAX_KEY_BYTES || out.at(-1).length === MAX_KEYS) {
      out.push([]);
      size = 0;
    }
    out.at(-1).push(key);
    size += bytes;
  }
  return out;
}

/** The keys from `next` on, which had no room in a reply. @param {string[]} keys @param {string} [next] */
export function behind(keys, next) {
  const at = keys.indexOf(next);
  return at > 0 ? keys.slice(at) : []; // one that is the first would never end
}
