// An eviction policy: entries are kept in a queue, and evicted from its front. `wit/eviction.wit` defines what a policy must do.

class Policy {
  sizes = new Map(); // the queue: sizes by id, in the order of insertion
  byUse = true; // whether a hit moves an entry to the end of the queue

  static create(capacity, options) {
    const policy = new Policy();
    policy.capacity = capacity;
    for (const [name, value] of options) {
      if (name !== "order" || !["use", "arrival"].includes(value))
        throw `invalid option ${name}="${value}"; the only option is order, which must be use or arrival`;
      policy.byUse = value === "use";
    }
    return policy;
  }

  restore(entries) {
    for (const { id, size } of entries) this.sizes.set(id, size);
  }

  observe(events) {
    for (const { tag, val } of events) {
      if (tag === "removed") this.sizes.delete(val);
      else if (this.byUse && this.sizes.has(val.id)) {
        const size = this.sizes.get(val.id);
        this.sizes.delete(val.id);
        this.sizes.set(val.id, size);
      }
    }
  }

  place(events, candidate, needed) {
    this.observe(events);
    if (candidate.size > this.capacity) return { tag: "refuse" };
    const victims = this.evict([], needed);
    this.sizes.set(candidate.id, candidate.size);
    return { tag: "admit", val: victims };
  }

  evict(events, needed) {
    this.observe(events);
    if (needed < 0) needed += 2 ** 64; // numbers from 2^63 are passed as negative ones
    const victims = [];
    let freed = 0;
    for (const [id, size] of this.sizes) {
      if (freed >= needed) break;
      victims.push(id);
      freed += size;
    }
    victims.forEach((id) => this.sizes.delete(id));
    return victims;
  }
}

const order = { name: "order", default: "use", doc: "The order of the queue: `use` or `arrival`." };
const doc = "Least recently used, or first in, first out.";
const describe = () => ({ name: "{{name}}", version: "0.1.0", doc, options: [order] });
export const eviction = { Policy, describe };
