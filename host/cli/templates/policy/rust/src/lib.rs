//! An eviction policy: entries are kept in a queue, and evicted from its front.
//!
//! `queue.rs` is the algorithm, and this file connects it to the interface. `wit/eviction.wit` defines what a policy must do.

mod queue;
#[cfg(test)]
mod tests;

use std::cell::RefCell;

use exports::media_cache::policy::eviction;
use exports::media_cache::policy::eviction::{
    Description, Entry, EntryId, Event, Guest, GuestPolicy, OptionDescription, Placement, Policy,
};
use queue::Queue;

wit_bindgen::generate!({ path: "wit", world: "eviction-policy" });

struct Component;

impl Guest for Component {
    type Policy = RefCell<Queue>;

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

impl GuestPolicy for RefCell<Queue> {
    fn create(capacity: u64, options: Vec<(String, String)>) -> Result<Policy, String> {
        Ok(Policy::new(RefCell::new(create(capacity, &options)?)))
    }

    fn restore(&self, entries: Vec<Entry>) {
        let mut queue = self.borrow_mut();
        entries.into_iter().for_each(|entry| queue.insert(entry));
    }

    fn observe(&self, events: Vec<Event>) {
        let mut queue = self.borrow_mut();
        for event in events {
            match event {
                Event::Accessed(access) => queue.access(access.id),
                Event::Removed(id) => drop(queue.remove(id)),
            }
        }
    }

    fn place(&self, events: Vec<Event>, candidate: Entry, needed: u64) -> Placement {
        self.observe(events);
        let mut queue = self.borrow_mut();
        if candidate.size > queue.capacity {
            return Placement::Refuse;
        }
        let victims = queue.evict(needed);
        queue.insert(candidate);
        Placement::Admit(victims)
    }

    fn evict(&self, events: Vec<Event>, needed: u64) -> Vec<EntryId> {
        self.observe(events);
        self.borrow_mut().evict(needed)
    }
}

/// An empty queue with these options.
fn create(capacity: u64, options: &[(String, String)]) -> Result<Queue, String> {
    let mut queue = Queue::default();
    queue.capacity = capacity;
    queue.by_use = true;
    for (name, value) in options {
        queue.by_use = match (name.as_str(), value.as_str()) {
            ("order", "use") => true,
            ("order", "arrival") => false,
            ("order", _) => return Err(format!("order must be use or arrival, not {value:?}")),
            _ => return Err(format!("unknown option {name:?}; the only one is order")),
        };
    }
    Ok(queue)
}

// Tests run natively, where exports have no use.
#[cfg(target_family = "wasm")]
export!(Component);
