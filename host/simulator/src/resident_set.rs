//! The objects that are stored at some point of a replay.
//!
//! Policies normally choose all victims, so objects are sorted by last access only once a policy frees too little.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use media_cache::policy::Entry;

use media_cache_trace::Trace;

/// Marks an empty field: no slot in `slot_of`, no object in a [`Slot`].
const NONE: u32 = u32::MAX;

/// Stored objects, in slots whose numbers are the entry ids of the policy contract. The slot that was freed last is reused first.
pub(crate) struct ResidentSet {
    /// By the number of the object; [`NONE`] for an object that is not stored.
    slot_of: Vec<u32>,
    slots: Vec<Slot>,
    free_slots: Vec<u32>,
    used_bytes: u64,
    /// For each slot in use, the number of a request that accessed it, and the slot. The request may be older than the last one. Built on
    /// first use.
    by_last_access: Option<BinaryHeap<Reverse<(u64, u32)>>>,
}

#[derive(Clone, Copy)]
struct Slot {
    size: u64,
    hits: u32,
    /// The number of the last request for the object.
    accessed_by: u64,
    /// The number of the request for which the object was stored.
    stored_by: u64,
    /// [`NONE`] if the slot is free.
    object: u32,
}

impl ResidentSet {
    /// An empty set for a trace of `objects` distinct objects.
    pub fn new(objects: usize) -> Self {
        Self { slot_of: vec![NONE; objects], slots: Vec::new(), free_slots: Vec::new(), used_bytes: 0, by_last_access: None }
    }

    /// Sum of the sizes of the stored objects.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// The number of stored objects.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free_slots.len()
    }

    /// Records the access of a request to an object and returns its id. `None` if the object is not stored.
    pub fn access(&mut self, object: u32, request: u64) -> Option<u64> {
        let id = self.slot_of[object as usize];
        let slot = self.slots.get_mut(id as usize)?;
        slot.hits = slot.hits.saturating_add(1);
        slot.accessed_by = request;
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

    /// Stores an object under a reserved id.
    pub fn insert(&mut self, id: u64, object: u32, size: u64, request: u64) {
        let slot = Slot { size, hits: 0, accessed_by: request, stored_by: request, object };
        let at = id as usize;
        if at < self.slots.len() {
            self.slots[at] = slot;
        } else {
            self.slots.push(slot);
        }
        self.slot_of[object as usize] = id as u32;
        self.used_bytes += size;
        if let Some(by_last_access) = &mut self.by_last_access {
            by_last_access.push(Reverse((request, id as u32)));
        }
    }

    /// Removes an object and returns its size. `None` if nothing is stored under this id.
    pub fn remove(&mut self, id: u64) -> Option<u64> {
        let slot = self.slots.get_mut(usize::try_from(id).ok()?)?;
        *self.slot_of.get_mut(slot.object as usize)? = NONE;
        slot.object = NONE;
        self.used_bytes -= slot.size;
        self.free_slots.push(id as u32);
        Some(slot.size)
    }

    /// The id of the least recently used object.
    pub fn least_recently_used(&mut self) -> Option<u64> {
        let slots = &self.slots;
        let resident = |(id, slot): (usize, &Slot)| (slot.object != NONE).then_some(Reverse((slot.accessed_by, id as u32)));
        let by_last_access = self.by_last_access.get_or_insert_with(|| slots.iter().enumerate().filter_map(resident).collect());
        while let Some(Reverse((access, id))) = by_last_access.peek().copied() {
            let slot = &slots[id as usize];
            if slot.object != NONE && slot.accessed_by == access {
                return Some(id.into());
            }
            by_last_access.pop();
            // This access is outdated. If it was to the current object, add the last access to that object instead.
            if slot.object != NONE && slot.stored_by <= access {
                by_last_access.push(Reverse((slot.accessed_by, id)));
            }
        }
        None
    }

    /// All stored objects, least recently used first.
    pub fn entries(&self, trace: &Trace) -> Vec<Entry> {
        let residents = self.slots.iter().enumerate().filter(|(_, slot)| slot.object != NONE);
        let mut order: Vec<(u64, usize)> = residents.map(|(id, slot)| (slot.accessed_by, id)).collect();
        order.sort_unstable();
        let entry = |(accessed_by, id): (u64, usize)| {
            let slot = &self.slots[id];
            let accessed_at = trace.requests()[accessed_by as usize].at;
            let entry = Entry::new(id as u64, trace.fingerprint(slot.object), slot.size);
            Entry { hits: slot.hits.into(), accessed_at, ..entry }
        };
        order.into_iter().map(entry).collect()
    }

    /// The object stored under an id.
    pub fn object(&self, id: u64) -> Option<u32> {
        self.slots.get(id as usize).map(|slot| slot.object).filter(|object| *object != NONE)
    }
}
