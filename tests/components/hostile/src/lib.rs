//! Code shared by the hostile policies. They behave like LRU until they are triggered, so that a trial finds no fault.

use std::marker::PhantomData;

pub use media_cache_policy_sdk as sdk;
use media_cache_policy_sdk::{Algorithm, Entry, EntryId, OptionSpec, Options, Placement, Queue, Slab};

/// The behaviour of a policy once it is triggered. By default, every method behaves like LRU.
pub trait Hostile: 'static {
    /// The name of the policy.
    const NAME: &'static str;

    /// Called when a policy is created, whether or not it is triggered.
    ///
    /// # Errors
    /// If the policy cannot be created.
    fn create() -> Result<(), String> {
        Ok(())
    }

    /// Chooses victims.
    fn evict(lru: &mut Lru, needed: u64) -> Vec<EntryId> {
        lru.evict(needed)
    }

    /// Places a candidate.
    fn place(lru: &mut Lru, candidate: &Entry, needed: u64) -> Placement {
        let victims = Self::evict(lru, needed);
        lru.insert(candidate);
        Placement::Admit(victims)
    }

    /// Restores an entry.
    fn restore(lru: &mut Lru, entry: &Entry) {
        lru.insert(entry);
    }

    /// Records a request for an entry.
    fn accessed(lru: &mut Lru, id: EntryId) {
        lru.accessed(id);
    }
}

/// The capacity in the trial before a policy is activated. Hostile policies recognise the trial by it, and behave well.
const TRIAL: u64 = 50 * 8192;

/// Behaves like LRU until it is triggered.
pub struct Triggered<H> {
    lru: Lru,
    /// Whether this is a trial, in which the policy behaves well.
    trial: bool,
    decisions: u64,
    after: u64,
    hostile: PhantomData<H>,
}

impl<H: Hostile> Triggered<H> {
    fn is_triggered(&self) -> bool {
        !self.trial && self.decisions >= self.after
    }

    /// Counts a decision, and returns whether the policy is triggered.
    fn decide(&mut self) -> bool {
        let is_triggered = self.is_triggered();
        self.decisions += 1;
        is_triggered
    }
}

impl<H: Hostile> Algorithm for Triggered<H> {
    const NAME: &'static str = H::NAME;
    const DOC: &'static str = "LRU until it is triggered.";
    const OPTIONS: &'static [OptionSpec] = &[
        OptionSpec { name: "after", default: "0", doc: "The number of decisions after which the policy is triggered." },
        OptionSpec { name: "trial", default: "behave", doc: "How the policy behaves in a trial: behave or misbehave." },
    ];

    fn new(capacity: u64, options: &Options) -> Result<Self, String> {
        H::create()?;
        let after = options.number("after", 0.0..=1e9)? as u64;
        let trial = capacity == TRIAL && options.choice("trial", &["behave", "misbehave"])? == 0;
        Ok(Self { lru: Lru::new(), trial, decisions: 0, after, hostile: PhantomData })
    }

    fn insert(&mut self, entry: &Entry) {
        self.lru.insert(entry);
    }

    fn restore(&mut self, entry: &Entry) {
        if self.is_triggered() { H::restore(&mut self.lru, entry) } else { self.lru.insert(entry) }
    }

    fn accessed(&mut self, id: EntryId, _at: u64) {
        if self.is_triggered() { H::accessed(&mut self.lru, id) } else { self.lru.accessed(id) }
    }

    fn removed(&mut self, id: EntryId) {
        self.lru.removed(id);
    }

    fn victim(&mut self) -> Option<(EntryId, u64)> {
        self.lru.victim()
    }

    fn place(&mut self, candidate: &Entry, needed: u64) -> Placement {
        if self.decide() {
            return H::place(&mut self.lru, candidate, needed);
        }
        let victims = self.lru.evict(needed);
        self.lru.insert(candidate);
        Placement::Admit(victims)
    }

    fn evict(&mut self, needed: u64) -> Vec<EntryId> {
        if self.decide() { H::evict(&mut self.lru, needed) } else { self.lru.evict(needed) }
    }
}

/// Entries in their order of use.
pub struct Lru {
    entries: Slab<()>,
    recency: Queue,
}

#[allow(missing_docs, reason = "as in the policy `lru`")]
impl Lru {
    fn new() -> Self {
        Self { entries: Slab::default(), recency: Queue::new(0) }
    }

    pub fn insert(&mut self, entry: &Entry) {
        self.entries.push(&mut self.recency, entry.id, entry.size, ());
    }

    pub fn accessed(&mut self, id: EntryId) {
        self.entries.renew(&mut self.recency, id);
    }

    pub fn removed(&mut self, id: EntryId) {
        self.entries.remove(&mut self.recency, id);
    }

    pub fn victim(&mut self) -> Option<(EntryId, u64)> {
        let oldest = self.recency.oldest()?;
        let size = self.entries.remove(&mut self.recency, oldest)?;
        Some((oldest, size))
    }

    pub fn evict(&mut self, needed: u64) -> Vec<EntryId> {
        let mut freed = 0u64;
        let victims = std::iter::from_fn(|| {
            let (victim, size) = if freed < needed { self.victim()? } else { return None };
            freed = freed.saturating_add(size);
            Some(victim)
        });
        victims.collect()
    }
}

/// Uses processor time forever.
pub fn spin() -> ! {
    let mut number = 0u64;
    loop {
        number = std::hint::black_box(number.wrapping_add(1));
    }
}

/// Exports a hostile policy from an example.
#[macro_export]
macro_rules! hostile {
    ($hostile:ident) => {
        #[allow(dead_code, reason = "nothing is exported natively")]
        type HostilePolicy = $crate::Triggered<$hostile>;
        $crate::sdk::export_policy!(HostilePolicy);
    };
}

/// Exports a custom `Guest` from an example.
#[macro_export]
macro_rules! export {
    ($guest:ident) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
    $crate::sdk::bindings::export!($guest with_types_in $crate::sdk::bindings);
        };
    };
}
