//! Files of entries that are kept open, so that hits on them need no verification and a host can serve them without a call. The CLOCK
//! algorithm, with one bit per file, decides which one to close. It approximates LRU.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use media_cache_entry_files::Metadata;

use crate::bindings::media_cache::cache::blobs::Blob;
use crate::index::Slot;

/// The open files.
pub struct OpenFiles {
    max: u32,
    files: BTreeMap<Slot, Kept>,
    /// The hand of the clock points to the first element. Places of closed files may still be in the queue.
    order: VecDeque<(Slot, u64)>,
    /// The number of the next place.
    next_place: u64,
}

/// An open file, and the entry's metadata when it was opened.
pub struct OpenFile {
    /// The file.
    pub body: Blob,
    /// The metadata in the sidecar.
    pub metadata: Arc<Metadata>,
    /// The SHA-256 digest of its bytes, if it is known.
    pub body_digest: Option<[u8; 32]>,
}

struct Kept {
    file: OpenFile,
    is_used: bool,
    /// The number of its place in the order.
    place: u64,
}

impl OpenFile {
    /// Creates another handle to the same file.
    #[must_use]
    pub fn share(&self) -> Self {
        Self { body: self.body.share(), metadata: Arc::clone(&self.metadata), body_digest: self.body_digest }
    }
}

impl OpenFiles {
    /// Creates an empty set for at most `max` files.
    #[must_use]
    pub fn new(max: u32) -> Self {
        Self { max, files: BTreeMap::new(), order: VecDeque::new(), next_place: 0 }
    }

    /// The number of open files.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.files.len() as u32
    }

    /// The file of an entry, if it is open.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&OpenFile> {
        self.files.get(&slot).map(|kept| &kept.file)
    }

    /// Keeps a file open, and closes another one if there are too many.
    pub fn insert(&mut self, slot: Slot, file: OpenFile) {
        if self.max == 0 {
            return;
        }
        while self.files.len() >= self.max as usize && !self.files.contains_key(&slot) {
            let Some((coldest, place)) = self.order.pop_front() else { break };
            let Some(kept) = self.files.get_mut(&coldest).filter(|kept| kept.place == place) else { continue };
            if std::mem::take(&mut kept.is_used) {
                self.order.push_back((coldest, place));
            } else {
                self.files.remove(&coldest);
            }
        }
        let place = self.files.get(&slot).map(|kept| kept.place).unwrap_or_else(|| {
            self.next_place += 1;
            self.order.push_back((slot, self.next_place));
            self.next_place
        });
        self.files.insert(slot, Kept { file, is_used: false, place });
        if self.order.len() > 2 * self.max as usize {
            self.forget_closed();
        }
    }

    /// Records a hit.
    pub fn used(&mut self, slot: Slot) {
        if let Some(kept) = self.files.get_mut(&slot) {
            kept.is_used = true;
        }
    }

    /// Closes the file of an entry.
    pub fn close(&mut self, slot: Slot) {
        self.files.remove(&slot);
    }

    fn forget_closed(&mut self) {
        self.order.retain(|(slot, place)| self.files.get(slot).is_some_and(|kept| kept.place == *place));
    }
}
