//! An eviction policy: entries are kept in a queue, and evicted from its front.
//!
//! `wit/eviction.wit` defines what a policy must do. `Ranking` is the algorithm; the rest connects it to WebAssembly.

use std::cell::RefCell;
use std::collections::BTreeMap;

wit_bindgen::generate!({ path: "wit", world: "eviction-policy" });

use exports::media_cache::policy::eviction::{
    Description, Entry, EntryId, Event, Guest, GuestPolicy, OptionDescription, Placement, Policy,
};

/// The tracked entries.
struct Ranking {
    capacity: u64,
    /// Whether a hit moves an entry to the end of the queue.
    by_use: bool,
    /// The number of the next entry in the queue.
    next: u64,
    queue: BTreeMap<u64, EntryId>,
    entries: BTreeMap<EntryId, Kept>,
}

/// A tracked entry.
struct Kept {
    size: u64,
    /// Its number in the queue.
    number: u64,
}

impl Ranking {
    fn new(capacity: u64, options: &[(String, String)]) -> Result<Self, String> {
        let mut by_use = true;
        for (name, value) in options {
            by_use = match (name.as_str(), value.as_str()) {
                ("order", "use") => true,
                ("order", "arrival") => false,
                ("order", _) => return Err(format!("order must be use or arrival, not {value:?}")),
                _ => return Err(format!("unknown option {name:?}; the only one is order")),
            };
        }
        Ok(Self {
            capacity,
            by_use,
            next: 0,
            queue: BTreeMap::new(),
            entries: BTreeMap::new(),
        })
    }

    /// Tracks an entry at the end of the queue.
    fn insert(&mut self, entry: &Entry) {
        self.remove(entry.id);
        self.queue.insert(self.next, entry.id);
        self.entries.insert(
            entry.id,
            Kept {
                size: entry.size,
                number: self.next,
            },
        );
        self.next += 1;
    }

    /// Records a hit.
    fn access(&mut self, id: EntryId) {
        let Some(kept) = self.entries.get_mut(&id) else {
            return;
        };
        if self.by_use {
            self.queue.remove(&kept.number);
            self.queue.insert(self.next, id);
            kept.number = self.next;
            self.next += 1;
        }
    }

    /// Stops tracking an entry.
    fn remove(&mut self, id: EntryId) {
        if let Some(kept) = self.entries.remove(&id) {
            self.queue.remove(&kept.number);
        }
    }

    /// Removes entries until at least `needed` is free, or nothing is left.
    fn evict(&mut self, needed: u64) -> Vec<EntryId> {
        let (mut freed, mut victims) = (0, Vec::new());
        while freed < needed {
            let Some((_, victim)) = self.queue.pop_first() else {
                break;
            };
            freed += self.entries.remove(&victim).map_or(0, |kept| kept.size);
            victims.push(victim);
        }
        victims
    }

    /// Decides whether to admit a candidate, and which entries to evict for it.
    fn place(&mut self, candidate: &Entry, needed: u64) -> Placement {
        if candidate.size > self.capacity {
            return Placement::Refuse;
        }
        let victims = self.evict(needed);
        self.insert(candidate);
        Placement::Admit(victims)
    }

    fn observe(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Accessed(access) => self.access(access.id),
                Event::Removed(id) => self.remove(id),
            }
        }
    }
}

struct Component;

impl Guest for Component {
    type Policy = RefCell<Ranking>;

    fn describe() -> Description {
        Description {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            doc: env!("CARGO_PKG_DESCRIPTION").into(),
            options: vec![OptionDescription {
                name: "order".into(),
                default: "use".into(),
                doc: "The order of the queue: `use` or `arrival`.".into(),
            }],
        }
    }
}

impl GuestPolicy for RefCell<Ranking> {
    fn create(capacity: u64, options: Vec<(String, String)>) -> Result<Policy, String> {
        Ok(Policy::new(RefCell::new(Ranking::new(capacity, &options)?)))
    }

    fn restore(&self, entries: Vec<Entry>) {
        entries
            .iter()
            .for_each(|entry| self.borrow_mut().insert(entry));
    }

    fn observe(&self, events: Vec<Event>) {
        self.borrow_mut().observe(events);
    }

    fn place(&self, events: Vec<Event>, candidate: Entry, needed: u64) -> Placement {
        self.borrow_mut().observe(events);
        self.borrow_mut().place(&candidate, needed)
    }

    fn evict(&self, events: Vec<Event>, needed: u64) -> Vec<EntryId> {
        self.borrow_mut().observe(events);
        self.borrow_mut().evict(needed)
    }
}

// Tests run natively, where exports have no use.
#[cfg(target_family = "wasm")]
export!(Component);

#[cfg(test)]
mod tests {
    use super::exports::media_cache::policy::eviction::MediaKind;
    use super::*;

    /// A ranking with the entries 0 to 2. Entry 0 was requested.
    fn ranking(options: &[(&str, &str)]) -> Ranking {
        let mut ranking = Ranking::new(30, &owned(options)).unwrap();
        (0..3).for_each(|id| ranking.insert(&entry(id, 10)));
        ranking.access(0);
        ranking
    }

    fn owned(options: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        options.iter().map(own).collect()
    }

    fn entry(id: EntryId, size: u64) -> Entry {
        Entry {
            id,
            fingerprint: id,
            size,
            hits: 0,
            accessed_at: 0,
            cost: 0,
            waiters: 0,
            kind: MediaKind::Other,
        }
    }

    #[test]
    fn entries_are_evicted_in_the_order_of_use_or_of_arrival() {
        assert_eq!(ranking(&[]).evict(u64::MAX), [1, 2, 0]);
        assert_eq!(ranking(&[("order", "arrival")]).evict(u64::MAX), [0, 1, 2]);
    }

    #[test]
    fn only_as_many_entries_are_evicted_as_necessary() {
        let mut ranking = ranking(&[]);
        let placed = ranking.place(&entry(3, 15), 15);
        assert!(matches!(placed, Placement::Admit(victims) if victims == [1, 2]));
        assert!(matches!(
            ranking.place(&entry(4, 31), 31),
            Placement::Refuse
        ));
        ranking.remove(0);
        assert_eq!(ranking.evict(u64::MAX), [3]);
    }

    #[test]
    fn invalid_options_are_refused() {
        for (name, value) in [("order", "size"), ("depth", "1")] {
            let error = Ranking::new(30, &owned(&[(name, value)])).err().unwrap();
            assert!(error.contains(name), "{error}");
        }
    }
}
