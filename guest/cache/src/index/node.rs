//! A slot, and its links.

use crate::entry::Entry;

/// The number of a slot.
pub type Slot = u32;

/// No slot.
pub(super) const NONE: Slot = Slot::MAX;

/// A list of slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum List {
    /// All entries in the order of use, except those in the other list.
    Used,
    /// Entries that a listing has found, whose place in the order of use is not known yet.
    Found,
}

/// A slot, in use or not.
pub(super) struct Node {
    pub entry: Option<Entry>,
    pub generation: u32,
    pub list: List,
    /// The number of its last use. Increases from the oldest to the newest.
    pub used: u64,
    pub older: Slot,
    pub newer: Slot,
}
