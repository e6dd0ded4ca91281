//! Exports an [`Algorithm`] as the interface `eviction` of the WIT.

use std::cell::RefCell;
use std::marker::PhantomData;

use media_cache_policy_structures::MAX_ENTRIES;

use crate::algorithm::Algorithm;
use crate::bindings::exports::media_cache::policy::eviction::{
    Description, Entry, EntryId, Event, Guest, GuestPolicy, Placement, Policy,
};
use crate::options::{OptionSpec, Options};

/// The component of a policy that uses the algorithm `A`.
pub struct Component<A>(PhantomData<A>);

/// The resource `policy` of the WIT: the state of the algorithm `A` for one tier.
pub struct PolicyState<A> {
    algorithm: RefCell<A>,
    capacity: u64,
}

impl<A: Algorithm> PolicyState<A> {
    /// See `policy.create` in the WIT.
    ///
    /// # Errors
    /// Returns an error if an option is unknown, is given twice, or has an invalid value.
    pub fn new(capacity: u64, options: Vec<(String, String)>) -> Result<Self, String> {
        let options = Options::check(A::NAME, A::OPTIONS, options)?;
        Ok(Self { algorithm: RefCell::new(A::new(capacity, &options)?), capacity })
    }
}

impl<A: Algorithm> Guest for Component<A> {
    type Policy = PolicyState<A>;

    fn describe() -> Description {
        Description {
            name: A::NAME.into(),
            version: A::VERSION.into(),
            doc: A::DOC.into(),
            options: A::OPTIONS.iter().map(OptionSpec::describe).collect(),
        }
    }
}

impl<A: Algorithm> GuestPolicy for PolicyState<A> {
    fn create(capacity: u64, options: Vec<(String, String)>) -> Result<Policy, String> {
        Ok(Policy::new(Self::new(capacity, options)?))
    }

    fn restore(&self, entries: Vec<Entry>) {
        let mut algorithm = self.algorithm.borrow_mut();
        for entry in entries.iter().filter(|entry| entry.id < MAX_ENTRIES) {
            algorithm.removed(entry.id);
            algorithm.restore(entry);
        }
    }

    fn observe(&self, events: Vec<Event>) {
        let mut algorithm = self.algorithm.borrow_mut();
        for event in events {
            match event {
                // If `usize` has 32 bits, a huge id must not be truncated to another one.
                Event::Accessed(access) if access.id < MAX_ENTRIES => algorithm.accessed(access.id, access.at),
                Event::Removed(id) if id < MAX_ENTRIES => algorithm.removed(id),
                Event::Accessed(_) | Event::Removed(_) => {}
            }
        }
    }

    fn place(&self, events: Vec<Event>, candidate: Entry, needed: u64) -> Placement {
        self.observe(events);
        if candidate.size > self.capacity || candidate.id >= MAX_ENTRIES {
            return Placement::Refuse;
        }
        let mut algorithm = self.algorithm.borrow_mut();
        algorithm.removed(candidate.id);
        algorithm.place(&candidate, needed)
    }

    fn evict(&self, events: Vec<Event>, needed: u64) -> Vec<EntryId> {
        self.observe(events);
        self.algorithm.borrow_mut().evict(needed)
    }
}

/// Exports an [`Algorithm`] as an eviction policy component. On native targets, this does nothing, so that the crate can be tested.
#[macro_export]
macro_rules! export_policy {
    ($algorithm:ident) => {
        // Native linkers do not accept the names of the exports, and nothing would import them.
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exported = $crate::policy_state::Component<$algorithm>;
    $crate::bindings::export!(Exported with_types_in $crate::bindings);
        };
    };
}
