//! The tiers that sequences are played in.

use crate::random::{mix, unit};

/// The allocation unit of the disk tier, in bytes.
pub(crate) const BLOCK: u64 = 4096;

/// The kind of a tier, with its capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    /// The memory tier, in items: every entry has size 1.
    Items(u64),
    /// The same with sparse ids: in a cache, ids are those of the disk tier, which has many more entries.
    SparseItems(u64),
    /// The disk tier, in blocks: a few objects are much larger than most.
    Blocks(u64),
}

impl Tier {
    pub fn capacity(self) -> u64 {
        match self {
            Self::Items(items) | Self::SparseItems(items) => items,
            Self::Blocks(blocks) => blocks * BLOCK,
        }
    }

    /// The maximum number of entries that fit into `size`.
    pub fn max_entries(self, size: u64) -> u64 {
        match self {
            Self::Items(_) | Self::SparseItems(_) => size,
            Self::Blocks(_) => size / BLOCK,
        }
    }

    /// The size of an object, which never changes. In a small disk tier, one object in 200 takes up the whole capacity.
    pub fn size_of(self, object: u64) -> u64 {
        let Self::Blocks(blocks) = self else { return 1 };
        let number = mix(object ^ 0x5eed);
        if number.is_multiple_of(200) && blocks <= 4096 {
            return blocks * BLOCK;
        }
        // A Pareto distribution with index 1.1: most objects take up a block or two, large ones hold most of the bytes.
        let size = (1.0 - unit(number)).powf(-1.0 / 1.1) as u64;
        size.clamp(1, (blocks / 3).max(1)) * BLOCK
    }

    /// Whether a policy should admit an object of this size while there is room.
    pub fn is_small(self, size: u64) -> bool {
        match self {
            Self::Items(_) | Self::SparseItems(_) => true,
            Self::Blocks(_) => size <= self.capacity() / 20,
        }
    }
}
