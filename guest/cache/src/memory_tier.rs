//! The memory tier: which entries are resident, within limits on items and bytes, and which files are kept open.
//!
//! Its policy uses separate ids, which are dense among the residents. The policy's memory therefore grows with the number of residents, not
//! with the number of stored entries.

use std::collections::BTreeMap;
use std::sync::Arc;

use media_cache_entry_files::Metadata;

use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::media_cache::policy::eviction::EntryId;
use crate::eviction_tier::{Eviction, EvictionTier, TierEntries, Verdict};
use crate::index::{Index, Slot};
use crate::open_files::{OpenFile, OpenFiles};
use crate::policy::Policy;

/// The memory tier.
pub struct MemoryTier<P> {
    eviction: EvictionTier<P>,
    max_items: u32,
    max_bytes: u64,
    residents: Residents,
    open: OpenFiles,
}

/// Media that is served without accessing the disk.
pub struct Resident {
    /// The bytes. In the memory tier, they are always in memory.
    pub body: Blob,
    /// The metadata of the media.
    pub metadata: Arc<Metadata>,
    /// The SHA-256 digest of the bytes, if it is known.
    pub body_digest: Option<[u8; 32]>,
}

#[derive(Default)]
struct Residents {
    by_slot: BTreeMap<Slot, (Resident, u32)>,
    /// The slots of the residents by their ids.
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    bytes: u64,
    evictions: u64,
}

impl<P: Policy> MemoryTier<P> {
    /// An empty tier.
    pub fn new(eviction: EvictionTier<P>, max_items: u32, max_bytes: u64, max_open_files: u32) -> Self {
        Self { eviction, max_items, max_bytes, residents: Residents::default(), open: OpenFiles::new(max_open_files) }
    }

    /// Whether an entry of this size may be resident. A larger one is served from its file, so it does not displace other entries.
    #[must_use]
    pub fn fits(&self, size: u64) -> bool {
        self.max_items > 0 && size <= self.max_bytes / 8
    }

    /// The resident media of an entry.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&Resident> {
        self.residents.by_slot.get(&slot).map(|(resident, _)| resident)
    }

    /// The number of residents.
    #[must_use]
    pub fn items(&self) -> u32 {
        self.residents.len()
    }

    /// The number of entries whose files are open.
    #[must_use]
    pub fn open_files(&self) -> u32 {
        self.open.count()
    }

    /// The file of an entry, if it is open.
    #[must_use]
    pub fn open_file(&self, slot: Slot) -> Option<&OpenFile> {
        self.open.get(slot)
    }

    /// Keeps the file of an entry open.
    pub fn keep_open(&mut self, slot: Slot, file: OpenFile) {
        self.open.insert(slot, file);
    }

    /// The number of bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.residents.bytes
    }

    /// The number of entries evicted from this tier.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.residents.evictions
    }

    /// The number of ids in the policy's answers that were ignored, and of entries that were evicted because it named too few.
    #[must_use]
    pub fn policy_faults(&self) -> (u64, u64) {
        (self.eviction.rejected, self.eviction.shortfalls)
    }

    /// Records a request that was served from the open file of an entry.
    pub fn used_file(&mut self, slot: Slot) {
        self.open.used(slot);
    }

    /// Records a request for an entry, if it is resident.
    pub fn accessed(&mut self, slot: Slot, at: u64) {
        if let Some((_, id)) = self.residents.by_slot.get(&slot) {
            self.eviction.accessed((*id).into(), at);
        }
    }

    /// Makes an entry resident if its bytes are in memory and fit, and the policy admits it.
    pub fn place(&mut self, index: &Index, slot: Slot, resident: Resident) {
        let fits = resident.body.in_memory() && self.fits(resident.body.size());
        let Some(entry) = index.get(slot).filter(|_| self.get(slot).is_none() && fits) else { return };
        let Self { eviction, max_items, max_bytes, residents, open } = self;
        let id = residents.free_id();
        let candidate = entry.for_policy(id.into(), 1);
        let needed = (residents.len() + 1).saturating_sub(*max_items);
        if eviction.place(candidate, needed.into(), &mut InOrder { residents, open, index }) != Verdict::Admitted {
            return;
        }
        residents.insert(slot, id, resident);
        while residents.bytes > *max_bytes {
            if !eviction.evict(1, &mut InOrder { residents, open, index }) {
                break;
            }
        }
    }

    /// Releases the bytes of an entry, if it is resident, and closes its file.
    pub fn release(&mut self, slot: Slot) {
        self.open.close(slot);
        if let Some(id) = self.residents.remove(slot) {
            self.eviction.removed(id.into());
        }
    }

    /// Releases all bytes and closes all files. From now on, no bytes are held in memory and no files are kept open.
    pub fn release_all(&mut self) {
        (self.max_items, self.open) = (0, OpenFiles::new(0));
        for slot in self.residents.by_slot.keys().copied().collect::<Vec<_>>() {
            self.release(slot);
        }
    }
}

impl Residents {
    fn len(&self) -> u32 {
        self.by_slot.len() as u32
    }

    /// The id of the next resident.
    fn free_id(&self) -> u32 {
        self.free.last().copied().unwrap_or(self.slots.len() as u32)
    }

    fn insert(&mut self, slot: Slot, id: u32, resident: Resident) {
        // The policy's decision may have freed more ids since this one was chosen.
        match self.free.iter().rposition(|free| *free == id) {
            Some(at) => drop(self.free.swap_remove(at)),
            None => self.slots.resize(id as usize + 1, None),
        }
        self.slots[id as usize] = Some(slot);
        self.bytes += resident.body.size();
        self.by_slot.insert(slot, (resident, id));
    }

    fn remove(&mut self, slot: Slot) -> Option<u32> {
        let (resident, id) = self.by_slot.remove(&slot)?;
        self.bytes -= resident.body.size();
        self.slots[id as usize] = None;
        self.free.push(id);
        Some(id)
    }
}

/// The residents, with the index for their order of use.
struct InOrder<'a> {
    residents: &'a mut Residents,
    open: &'a mut OpenFiles,
    index: &'a Index,
}

impl TierEntries for InOrder<'_> {
    fn evict(&mut self, id: EntryId) -> Eviction {
        let slot = usize::try_from(id).ok().and_then(|id| self.residents.slots.get(id).copied().flatten());
        match slot.filter(|slot| self.residents.remove(*slot).is_some()) {
            Some(slot) => {
                self.residents.evictions += 1;
                // The entry's file may still be open. The file was not needed while the entry was resident, so it counts as used now.
                self.open.used(slot);
                Eviction::Freed(1)
            }
            None => Eviction::Unknown,
        }
    }

    fn coldest(&self) -> Option<EntryId> {
        let (_, (_, id)) = self.residents.by_slot.iter().min_by_key(|(slot, _)| self.index.used(**slot))?;
        Some((*id).into())
    }
}
