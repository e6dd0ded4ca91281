//! An SDK for eviction policies in Rust. A policy implements [`Algorithm`] and is exported with [`export_policy!`].
//!
//! ```
//! use media_cache_policy_sdk::{Algorithm, Entry, EntryId, OptionSpec, Options, Queue, Slab};
//!
//! /// First in, first out.
//! struct Fifo {
//!     entries: Slab<()>,
//!     queue: Queue,
//! }
//!
//! impl Algorithm for Fifo {
//!     const NAME: &'static str = "fifo";
//!     const DOC: &'static str = "First in, first out.";
//!     const OPTIONS: &'static [OptionSpec] = &[];
//!
//!     fn new(_capacity: u64, _options: &Options) -> Result<Self, String> {
//!         Ok(Self { entries: Slab::default(), queue: Queue::new(0) })
//!     }
//!
//!     fn insert(&mut self, entry: &Entry) {
//!         self.entries.push(&mut self.queue, entry.id, entry.size, ());
//!     }
//!
//!     fn accessed(&mut self, _id: EntryId, _at: u64) {}
//!
//!     fn removed(&mut self, id: EntryId) {
//!         self.entries.remove(&mut self.queue, id);
//!     }
//!
//!     fn victim(&mut self) -> Option<(EntryId, u64)> {
//!         let oldest = self.queue.oldest()?;
//!         let size = self.entries.remove(&mut self.queue, oldest)?;
//!         Some((oldest, size))
//!     }
//! }
//!
//! media_cache_policy_sdk::export_policy!(Fifo);
//! ```

mod algorithm;
pub mod bindings;
mod entry;
mod options;
pub mod policy_state;

pub use algorithm::Algorithm;
pub use bindings::exports::media_cache::policy::eviction::{Access, Entry, EntryId, Event, MediaKind, Placement};
pub use media_cache_policy_structures::{
    FingerprintHasher, FingerprintMap, Ghosts, Heap, History, MAX_ENTRIES, Queue, Slab, spread,
};
pub use options::{OptionSpec, Options};
pub use policy_state::{Component, PolicyState};
