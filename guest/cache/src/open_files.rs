//! Files of entries that are kept open, so that a host can serve hits from them. The least recently used are closed first, approximately:
//! there is one bit for each (the CLOCK algorithm).

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use media_cache_entry_files::Metadata;

use crate::bindings::media_cache::cache::blobs::Blob;
use crate::index::Slot;

/// The open files.
pub struct OpenFiles {
    max: u32,
    files: BTreeMap<Slot, OpenFile>,
    /// The hand of the clock points to the first. Places of files that were closed may be in here.
    order: VecDeque<(Slot, u64)>,
    /// The number of the next place.
    next_place: u64,
}

struct OpenFile {
    file: Blob,
    /// What the entry said when the file was opened.
    metadata: Rc<Metadata>,
    is_used: bool,
    /// The number of its place in the order.
    place: u64,
}

impl OpenFiles {
    /// At most `max` files.
    #[must_use]
    pub fn new(max: u32) -> Self {
        Self { max, files: BTreeMap::new(), order: VecDeque::new(), next_place: 0 }
    }

    /// The number of open files.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.files.len() as u32
    }

    /// The file of this version of an entry, if it is open.
    #[must_use]
    pub fn get(&self, slot: Slot, metadata: &Rc<Metadata>) -> Option<&Blob> {
        self.files.get(&slot).filter(|open| Rc::ptr_eq(&open.metadata, metadata)).map(|open| &open.file)
    }

    /// Keeps a file open, instead of another one if there are too many.
    pub fn insert(&mut self, slot: Slot, file: Blob, metadata: Rc<Metadata>) {
        if self.max == 0 {
            return;
        }
        while self.files.len() >= self.max as usize && !self.files.contains_key(&slot) {
            let Some((coldest, place)) = self.order.pop_front() else { break };
            let Some(open) = self.files.get_mut(&coldest).filter(|open| open.place == place) else { continue };
            if std::mem::take(&mut open.is_used) {
                self.order.push_back((coldest, place));
            } else {
                self.files.remove(&coldest);
            }
        }
        let place = self.files.get(&slot).map(|open| open.place).unwrap_or_else(|| {
            self.next_place += 1;
            self.order.push_back((slot, self.next_place));
            self.next_place
        });
        self.files.insert(slot, OpenFile { file, metadata, is_used: false, place });
        if self.order.len() > 2 * self.max as usize {
            self.forget_closed();
        }
    }

    /// Notes a hit.
    pub fn used(&mut self, slot: Slot) {
        if let Some(open) = self.files.get_mut(&slot) {
            open.is_used = true;
        }
    }

    /// Closes the file of an entry.
    pub fn close(&mut self, slot: Slot) {
        self.files.remove(&slot);
    }

    fn forget_closed(&mut self) {
        self.order.retain(|(slot, place)| self.files.get(slot).is_some_and(|open| open.place == *place));
    }
}
