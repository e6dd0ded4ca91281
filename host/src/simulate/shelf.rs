//! What is stored while a trace is replayed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::trace::Trace;
use crate::policy::Entry;

const NOWHERE: u32 = u32::MAX;

/// Objects that are stored, in slots whose numbers are the ids of the contract. The slot that became free last is used first.
pub(super) struct Shelf {
    /// By the number of the object.
    places: Vec<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    used: u64,
    /// Slots by their last use, or by an earlier one: made when the coldest is asked for, which a policy that does its work never
    /// brings about.
    by_use: Option<BinaryHeap<Reverse<(u64, u32)>>>,
}

#[derive(Clone, Copy)]
struct Slot {
    size: u64,
    hits: u32,
    /// The number of the request that asked for it last.
    used_at: u64,
    /// The number of the request that it was stored for.
    stored_at: u64,
    /// [`NOWHERE`] in a slot that is free.
    object: u32,
}

impl Shelf {
    /// An empty one for this many different objects.
    pub fn new(objects: usize) -> Self {
        Self { places: vec![NOWHERE; objects], slots: Vec::new(), free: Vec::new(), used: 0, by_use: None }
    }

    /// What is stored takes up so much.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// How many objects are stored.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// A request asks for an object. Its id, if it is stored.
    pub fn ask(&mut self, object: u32, request: u64) -> Option<u64> {
        let place = self.places[object as usize];
        let slot = self.slots.get_mut(place as usize)?;
        slot.hits = slot.hits.saturating_add(1);
        slot.used_at = request;
        Some(place.into())
    }

    /// An id for an object that may be stored. It has to be used in [`store`](Self::store), or given back.
    pub fn take_id(&mut self) -> u64 {
        self.free.pop().map_or(self.slots.len() as u64, u64::from)
    }

    /// An id that was taken is not needed after all.
    pub fn give_back(&mut self, id: u64) {
        if (id as usize) < self.slots.len() {
            self.free.push(id as u32);
        }
    }

    /// Stores an object under an id that was taken.
    pub fn store(&mut self, id: u64, object: u32, size: u64, request: u64) {
        let slot = Slot { size, hits: 0, used_at: request, stored_at: request, object };
        let at = id as usize;
        if at < self.slots.len() {
            self.slots[at] = slot;
        } else {
            self.slots.push(slot);
        }
        self.places[object as usize] = id as u32;
        self.used += size;
        if let Some(by_use) = &mut self.by_use {
            by_use.push(Reverse((request, id as u32)));
        }
    }

    /// Removes what has this id, and says how large it was. `None` where there is nothing.
    pub fn remove(&mut self, id: u64) -> Option<u64> {
        let slot = self.slots.get_mut(usize::try_from(id).ok()?)?;
        let place = self.places.get_mut(slot.object as usize)?;
        *place = NOWHERE;
        slot.object = NOWHERE;
        self.used -= slot.size;
        self.free.push(id as u32);
        Some(slot.size)
    }

    /// What was not used for the longest time.
    pub fn coldest(&mut self) -> Option<u64> {
        let slots = &self.slots;
        let resident = |(id, slot): (usize, &Slot)| (slot.object != NOWHERE).then_some(Reverse((slot.used_at, id as u32)));
        let by_use = self.by_use.get_or_insert_with(|| slots.iter().enumerate().filter_map(resident).collect());
        while let Some(Reverse((use_then, id))) = by_use.peek().copied() {
            let slot = &slots[id as usize];
            if slot.object != NOWHERE && slot.used_at == use_then {
                return Some(id.into());
            }
            by_use.pop();
            // What was used since belongs further back; what was said of another that had this slot before is of no use.
            if slot.object != NOWHERE && slot.stored_at <= use_then {
                by_use.push(Reverse((slot.used_at, id)));
            }
        }
        None
    }

    /// All that is stored, the coldest first.
    pub fn entries(&self, trace: &Trace) -> Vec<Entry> {
        let mut order: Vec<(u64, usize)> =
            self.slots.iter().enumerate().filter(|(_, slot)| slot.object != NOWHERE).map(|(id, slot)| (slot.used_at, id)).collect();
        order.sort_unstable();
        let entry = |(used_at, id): (u64, usize)| {
            let slot = &self.slots[id];
            let accessed_at = trace.requests()[used_at as usize].at;
            Entry {
                id: id as u64,
                fingerprint: trace.fingerprint(slot.object),
                size: slot.size,
                hits: slot.hits.into(),
                accessed_at,
            }
        };
        order.into_iter().map(entry).collect()
    }

    /// The object that has this id.
    pub fn object(&self, id: u64) -> Option<u32> {
        self.slots.get(id as usize).map(|slot| slot.object).filter(|object| *object != NOWHERE)
    }
}
