// Names of the people on the page, as their documents have them now. Pure state:
// no DOM; the network is what it is given.

/** Of these, an edge tells changes; it takes 1,000 objects of a session, rooms included. */
const MOST = 800;

export class Names {
  #o;
  /** The last name seen of each: it stays when a document can't be seen any more. @type {Map<string, string>} */
  #seen = new Map();
  /** On screen, and not watched yet. @type {Set<string>} */
  #wanted = new Set();
  /** @type {Set<string>} */
  #watched = new Set();

  /**
   * @param {object} o
   * @param {(key: string) => {data: any}|undefined} o.object the newest document known
   * @param {(keys: string[]) => Promise<any>} o.watch has changes of these told, and what they are now
   * @param {(keys: string[]) => Promise<any>} o.unwatch
   */
  constructor(o) {
    this.#o = o;
  }

  /** The name, or the id until one is known. From now on, its changes are told. @param {string} id */
  of(id) {
    if (!this.#watched.has(id)) {
      if (this.#wanted.size === 0) queueMicrotask(() => this.#watch());
      this.#wanted.add(id);
    }
    return this.known(id) ?? id;
  }

  /** The name, if one is known. @param {string} id @returns {string|undefined} */
  known(id) {
    const name = this.#o.object(`user:${id}`)?.data?.name;
    if (typeof name === 'string' && name !== '') this.#seen.set(id, name);
    return this.#seen.get(id);
  }

  /** Nothing of before is on screen any more. */
  clear() {
    if (this.#watched.size < MOST / 2) return; // it may be again, soon
    const keys = [...this.#watched].map((id) => `user:${id}`);
    this.#watched.clear();
    this.#o.unwatch(keys).catch(() => {});
  }

  async #watch() {
    const ids = [...this.#wanted].slice(0, Math.max(0, MOST - this.#watched.size));
    this.#wanted.clear();
    if (ids.length === 0) return;
    for (const id of ids) this.#watched.add(id);
    try {
      await this.#o.watch(ids.map((id) => `user:${id}`));
    } catch {
      for (const id of ids) this.#watched.delete(id); // again when it is shown next
    }
  }
}
