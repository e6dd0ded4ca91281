//! What eviction policies keep entries in: queues in a slab, a heap, and ghosts. Everything here takes constant or logarithmic time.
//!
//! There is no WebAssembly and no WIT in this crate: hosts can use the same structures.

mod fingerprints;
mod ghosts;
mod heap;
mod slab;

pub use fingerprints::{FingerprintHasher, FingerprintMap, spread};
pub use ghosts::Ghosts;
pub use heap::Heap;
pub use slab::{EntryId, MAX_ENTRIES, Queue, Slab};
