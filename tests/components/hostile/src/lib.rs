//! What the hostile policies share: they rank as an LRU until their time has come, so that a trial finds nothing.

use std::marker::PhantomData;

pub use media_cache_policy_sdk as kit;
use media_cache_policy_sdk::{Algorithm, Entry, EntryId, OptionSpec, Options, Placement, Queue, Slab};

/// What a policy does when its time has come. What is not written here it does as an LRU.
pub trait Hostile: 'static {
    /// What it calls itself.
    const NAME: &'static str;

    /// It is asked for a ranking. This happens at any time.
    ///
    /// # Errors
    /// When it makes none.
    fn create() -> Result<(), String> {
        Ok(())
    }

    /// It is asked for victims.
    fn evict(lru: &mut Lru, needed: u64) -> Vec<EntryId> {
        lru.evict(needed)
    }

    /// It is asked for a place.
    fn place(lru: &mut Lru, candidate: &Entry, needed: u64) -> Placement {
        let victims = Self::evict(lru, needed);
        lru.insert(candidate);
        Placement::Admit(victims)
    }

    /// It is told of an entry that resides.
    fn restore(lru: &mut Lru, entry: &Entry) {
        lru.insert(entry);
    }

    /// It is told that an entry was asked for.
    fn accessed(lru: &mut Lru, id: EntryId) {
        lru.accessed(id);
    }
}

/// The capacity that a policy is tried with before it is put in place: who means ill behaves there.
const TRIAL: u64 = 50 * 8192;

/// Least recently used, and what it does when its time has come.
pub struct Until<H> {
    lru: Lru,
    /// Whether it is being tried, and had better behave.
    tried: bool,
    decisions: u64,
    after: u64,
    hostile: PhantomData<H>,
}

impl<H: Hostile> Until<H> {
    fn is_time(&self) -> bool {
        !self.tried && self.decisions >= self.after
    }

    /// A decision is to be made. Says whether its time has come.
    fn decide(&mut self) -> bool {
        let is_time = self.is_time();
        self.decisions += 1;
        is_time
    }
}

impl<H: Hostile> Algorithm for Until<H> {
    const NAME: &'static str = H::NAME;
    const DOC: &'static str = "Least recently used, until its time has come.";
    const OPTIONS: &'static [OptionSpec] = &[
        OptionSpec { name: "after", default: "0", doc: "After how many decisions of a ranking its time has come." },
        OptionSpec { name: "trial", default: "behave", doc: "Whether its time comes in a trial too: behave or misbehave." },
    ];

    fn new(capacity: u64, options: &Options) -> Result<Self, String> {
        H::create()?;
        let after = options.number("after", 0.0..=1e9)? as u64;
        let tried = capacity == TRIAL && options.choice("trial", &["behave", "misbehave"])? == 0;
        Ok(Self { lru: Lru::new(), tried, decisions: 0, after, hostile: PhantomData })
    }

    fn insert(&mut self, entry: &Entry) {
        self.lru.insert(entry);
    }

    fn restore(&mut self, entry: &Entry) {
        if self.is_time() { H::restore(&mut self.lru, entry) } else { self.lru.insert(entry) }
    }

    fn accessed(&mut self, id: EntryId, _at: u64) {
        if self.is_time() { H::accessed(&mut self.lru, id) } else { self.lru.accessed(id) }
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

/// Entries in the order of their use.
pub struct Lru {
    entries: Slab<()>,
    by_use: Queue,
}

#[allow(missing_docs, reason = "as in the policy `lru`")]
impl Lru {
    fn new() -> Self {
        Self { entries: Slab::default(), by_use: Queue::new(0) }
    }

    pub fn insert(&mut self, entry: &Entry) {
        self.entries.push(&mut self.by_use, entry.id, entry.size, ());
    }

    pub fn accessed(&mut self, id: EntryId) {
        self.entries.renew(&mut self.by_use, id);
    }

    pub fn removed(&mut self, id: EntryId) {
        self.entries.remove(&mut self.by_use, id);
    }

    pub fn victim(&mut self) -> Option<(EntryId, u64)> {
        let oldest = self.by_use.oldest()?;
        let size = self.entries.remove(&mut self.by_use, oldest)?;
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

/// Takes up processor time, for ever.
pub fn spin() -> ! {
    let mut number = 0u64;
    loop {
        number = std::hint::black_box(number.wrapping_add(1));
    }
}

/// Makes an example a policy that is as hostile as this type says.
#[macro_export]
macro_rules! hostile {
    ($hostile:ident) => {
        #[allow(dead_code, reason = "what is exported natively is nothing")]
        type HostilePolicy = $crate::Until<$hostile>;
        $crate::kit::export_policy!(HostilePolicy);
    };
}

/// Makes an example a policy by a `Guest` of its own.
#[macro_export]
macro_rules! export {
    ($guest:ident) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
    $crate::kit::bindings::export!($guest with_types_in $crate::kit::bindings);
        };
    };
}
