//! Files of entries that are kept open, so that a host can serve hits from them. Those that were not used for longest are closed first,
//! as far as one bit for each tells (a clock).

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use media_cache_entry_files::Metadata;

use crate::bindings::media_cache::cache::blobs::Blob;
use crate::index::Slot;

/// The open files.
pub struct OpenFiles {
    max: u32,
    files: BTreeMap<Slot, OpenFile>,
    /// The hand of the clock points to the first. Slots whose files were closed may be in here.
    order: VecDeque<Slot>,
}

struct OpenFile {
    file: Blob,
    /// What the entry said when the file was opened.
    metadata: Rc<Metadata>,
    is_used: bool,
}

impl OpenFiles {
    /// At most `max` files.
    #[must_use]
    pub fn new(max: u32) -> Self {
        Self { max, files: BTreeMap::new(), order: VecDeque::new() }
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
            let Some(slot) = self.order.pop_front() else { break };
            let Some(open) = self.files.get_mut(&slot) else { continue };
            if std::mem::take(&mut open.is_used) {
                self.order.push_back(slot);
            } else {
                self.files.remove(&slot);
            }
        }
        if self.files.insert(slot, OpenFile { file, metadata, is_used: false }).is_none() {
            self.order.push_back(slot);
        }
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
        let mut seen = std::collections::BTreeSet::new();
        self.order.retain(|slot| self.files.contains_key(slot) && seen.insert(*slot));
    }
}
