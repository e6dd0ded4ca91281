//! What stands between the WIT and an algorithm.

use std::cell::RefCell;
use std::marker::PhantomData;

use media_cache_policy_structures::MAX_ENTRIES;

use crate::bindings::exports::media_cache::cache::eviction::{
    Description, Entry, EntryId, Event, Guest, GuestPolicy, Placement, Policy,
};
use crate::options::{OptionSpec, Options};

/// A ranking of the entries of one tier.
///
/// An entry resides from `insert` or `restore` until `victim` or `removed`. What does not reside is passed over.
pub trait Algorithm: Sized + 'static {
    /// Short, lower case.
    const NAME: &'static str;
    /// As `1.2.3`.
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    /// One line: what it prefers.
    const DOC: &'static str;
    /// All options that `new` understands.
    const OPTIONS: &'static [OptionSpec];

    /// An empty ranking of at most `capacity`, which is at least 1.
    ///
    /// # Errors
    /// For a value of an option that cannot be, with what would do.
    fn new(capacity: u64, options: &Options) -> Result<Self, String>;

    /// An entry that does not reside was admitted.
    fn insert(&mut self, entry: &Entry);

    /// An entry that does not reside was there before, and is hotter than those that were restored before it.
    fn restore(&mut self, entry: &Entry) {
        self.insert(entry);
    }

    /// An entry was asked for, at a time in milliseconds since 1970.
    fn accessed(&mut self, id: EntryId, at: u64);

    /// An entry is gone for a reason of its own.
    fn removed(&mut self, id: EntryId);

    /// Takes out the entry that is to go next, and says how large it is. `None` where nothing resides.
    fn victim(&mut self) -> Option<(EntryId, u64)>;

    /// A candidate that does not reside, and is not larger than the capacity, asks for a place; `needed` must be freed for it.
    fn place(&mut self, candidate: &Entry, needed: u64) -> Placement {
        let victims = self.evict(needed);
        self.insert(candidate);
        Placement::Admit(victims)
    }

    /// Takes out entries until at least `needed` is freed, or nothing is left.
    fn evict(&mut self, needed: u64) -> Vec<EntryId> {
        let mut victims = Vec::new();
        let mut freed = 0u64;
        while freed < needed {
            let Some((victim, size)) = self.victim() else { break };
            freed = freed.saturating_add(size);
            victims.push(victim);
        }
        victims
    }
}

/// A component that ranks by an algorithm.
pub struct Component<A>(PhantomData<A>);

/// One ranking, as the WIT has it.
pub struct PolicyState<A> {
    algorithm: RefCell<A>,
    capacity: u64,
}

impl<A: Algorithm> PolicyState<A> {
    /// See `create` in `wit/eviction.wit`.
    ///
    /// # Errors
    /// For an unknown option, or a value that cannot be.
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
                // An id beyond all reason must not become another one where `usize` is small.
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

/// Makes the crate a component that ranks by an [`Algorithm`].
#[macro_export]
macro_rules! export_policy {
    ($algorithm:ident) => {
        // Natively there is nobody to export to, and the names of exports are none that a native linker takes.
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exported = $crate::policy_state::Component<$algorithm>;
    $crate::bindings::export!(Exported with_types_in $crate::bindings);
        };
    };
}
