//! Data structures for eviction policies: queues in a slab, a heap, ghosts, entries with a history, and an array that grows in chunks. Every operation takes
//! constant or logarithmic time.
//!
//! This crate depends on neither WebAssembly nor WIT, so hosts can use the same structures.

mod chunks;
mod fingerprints;
mod ghosts;
mod heap;
mod history;
mod slab;
mod sparse;

pub use chunks::Chunks;
pub use fingerprints::{FingerprintHasher, FingerprintMap, spread};
pub use ghosts::Ghosts;
pub use heap::Heap;
pub use history::History;
pub use slab::{EntryId, MAX_ENTRIES, Queue, Slab};
