// The interface `eviction`: a policy in the host's own language, here least recently used. A policy component would do as well.

class Policy {
  #capacity;
  /** The size of each tracked entry, from the least to the most recently used. */
  #sizes = new Map();

  constructor(capacity) {
    this.#capacity = capacity;
  }

  static create(capacity, _options) {
    return new Policy(capacity);
  }

  restore(entries) {
    for (const { id, size } of entries) this.#track(id, size);
  }

  observe(events) {
    for (const { tag, val } of events) {
      if (tag === "removed") this.#sizes.delete(val);
      else if (this.#sizes.has(val.id)) this.#track(val.id, this.#sizes.get(val.id));
    }
  }

  place(events, candidate, needed) {
    this.observe(events);
    const victims = this.#victims(needed);
    this.#track(candidate.id, candidate.size);
    return { tag: "admit", val: victims };
  }

  evict(events, needed) {
    this.observe(events);
    return this.#victims(needed);
  }

  #track(id, size) {
    this.#sizes.delete(id);
    this.#sizes.set(id, size);
  }

  #victims(needed) {
    const victims = [];
    for (const [id, size] of this.#sizes) {
      if (needed <= 0n) break;
      needed -= size;
      victims.push(id);
    }
    for (const id of victims) this.#sizes.delete(id);
    return BigUint64Array.from(victims);
  }

  [Symbol.dispose]() {}
}

export const eviction = {
  Policy,
  describe: () => ({ name: "js-lru", version: "1.0.0", doc: "Least recently used, in JavaScript", options: [] }),
};
