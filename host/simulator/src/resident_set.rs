//! The objects that a simulated cache stores.
//!
//! Policies normally choose all victims, so objects are sorted by last access only once a policy frees too little.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashTable;
use media_cache::policy::{Entry, MediaKind};

/// Stored objects, in slots whose numbers are the entry ids of the policy contract. The slot that was freed last is reused first.
#[derive(Default)]
pub(crate) struct ResidentSet {
    /// The slots in use. Fingerprints are uniformly distributed, so they are their own hashes.
    by_fingerprint: HashTable<u32>,
    slots: Vec<Slot>,
    free_slots: Vec<u32>,
    used_space: u64,
    /// For each slot in use, the number of a request that accessed it, and the slot. The request may be older than the last one. Built on
    /// first use.
    by_last_access: Option<BinaryHeap<Reverse<(u64, u32)>>>,
}

#[derive(Clone, Copy)]
struct Slot {
    fingerprint: u64,
    size: u64,
    /// 0 if the slot is free.
    space: u64,
    /// The number of the last request for the object.
    accessed_by: u64,
    /// The number of the request for which the object was stored.
    stored_by: u64,
    /// The time of the last request, in milliseconds.
    accessed_at: u64,
    hits: u32,
    cost: u32,
    kind: MediaKind,
}

impl ResidentSet {
    /// The space that the stored objects take up.
    pub fn used_space(&self) -> u64 {
        self.used_space
    }

    /// The number of stored objects.
    pub fn len(&self) -> usize {
        self.by_fingerprint.len()
    }

    /// The memory used, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        let heap = self.by_last_access.as_ref().map_or(0, BinaryHeap::capacity) * size_of::<Reverse<(u64, u32)>>();
        let slots = self.slots.capacity() * size_of::<Slot>() + self.free_slots.capacity() * size_of::<u32>();
        (self.by_fingerprint.allocation_size() + slots + heap) as u64
    }

    /// Whether an object is stored.
    pub fn contains(&self, fingerprint: u64) -> bool {
        self.find(fingerprint).is_some()
    }

    /// Records the access of a request at a time to an object and returns its id. `None` if the object is not stored.
    pub fn access(&mut self, fingerprint: u64, request: u64, at: u64) -> Option<u64> {
        let id = self.find(fingerprint)?;
        let slot = &mut self.slots[id as usize];
        slot.hits = slot.hits.saturating_add(1);
        (slot.accessed_by, slot.accessed_at) = (request, at);
        Some(id.into())
    }

    /// Reserves an id for a candidate. It must be passed to [`insert`](Self::insert) or [`release_id`](Self::release_id) before the next id
    /// is reserved.
    pub fn reserve_id(&mut self) -> u64 {
        self.free_slots.pop().map_or(self.slots.len() as u64, u64::from)
    }

    /// Releases a reserved id that was not used.
    pub fn release_id(&mut self, id: u64) {
        if (id as usize) < self.slots.len() {
            self.free_slots.push(id as u32);
        }
    }

    /// Stores an object, whose id was reserved, and which takes up this space. `request` is the number of the request for it.
    pub fn insert(&mut self, entry: &Entry, space: u64, request: u64) {
        let Entry { id, fingerprint, size, accessed_at, cost, kind, .. } = *entry;
        let hits = u32::try_from(entry.hits).unwrap_or(u32::MAX);
        let slot = Slot { fingerprint, size, space, accessed_by: request, stored_by: request, accessed_at, hits, cost, kind };
        let at = id as usize;
        if at < self.slots.len() {
            self.slots[at] = slot;
        } else {
            self.slots.push(slot);
        }
        let slots = &self.slots;
        self.by_fingerprint.insert_unique(fingerprint, id as u32, |id| slots[*id as usize].fingerprint);
        self.used_space += space;
        if let Some(by_last_access) = &mut self.by_last_access {
            by_last_access.push(Reverse((request, id as u32)));
            // Most of it is outdated, and the policy may choose all further victims.
            if by_last_access.len() > 2 * self.slots.len() + 64 {
                self.by_last_access = None;
            }
        }
    }

    /// Removes an object and returns the space that it took up. `None` if nothing is stored under this id.
    pub fn remove(&mut self, id: u64) -> Option<u64> {
        let slot = self.slots.get_mut(usize::try_from(id).ok()?).filter(|slot| slot.space > 0)?;
        let space = std::mem::take(&mut slot.space);
        if let Ok(entry) = self.by_fingerprint.find_entry(slot.fingerprint, |stored| u64::from(*stored) == id) {
            entry.remove();
        }
        self.used_space -= space;
        self.free_slots.push(id as u32);
        Some(space)
    }

    /// The id of the least recently used object.
    pub fn least_recently_used(&mut self) -> Option<u64> {
        let slots = &self.slots;
        let resident = |(id, slot): (usize, &Slot)| (slot.space > 0).then_some(Reverse((slot.accessed_by, id as u32)));
        let by_last_access = self.by_last_access.get_or_insert_with(|| slots.iter().enumerate().filter_map(resident).collect());
        while let Some(Reverse((access, id))) = by_last_access.peek().copied() {
            let slot = &slots[id as usize];
            if slot.space > 0 && slot.accessed_by == access {
                return Some(id.into());
            }
            by_last_access.pop();
            // This access is outdated. If it was to the current object, add the last access to that object instead.
            if slot.space > 0 && slot.stored_by <= access {
                by_last_access.push(Reverse((slot.accessed_by, id)));
            }
        }
        None
    }

    /// All stored objects, least recently used first.
    pub fn entries(&self) -> Vec<Entry> {
        let residents = self.slots.iter().enumerate().filter(|(_, slot)| slot.space > 0);
        let mut order: Vec<(u64, usize)> = residents.map(|(id, slot)| (slot.accessed_by, id)).collect();
        order.sort_unstable();
        let entry = |(_, id): (u64, usize)| {
            let Slot { fingerprint, size, accessed_at, hits, cost, kind, .. } = self.slots[id];
            Entry { id: id as u64, fingerprint, size, hits: hits.into(), accessed_at, cost, waiters: 0, kind }
        };
        order.into_iter().map(entry).collect()
    }

    fn find(&self, fingerprint: u64) -> Option<u32> {
        self.by_fingerprint.find(fingerprint, |id| self.slots[*id as usize].fingerprint == fingerprint).copied()
    }
}
