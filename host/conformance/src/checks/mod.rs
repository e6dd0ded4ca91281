//! The checks, each with the sequences that it plays.

pub(crate) mod description;
pub(crate) mod hit_ratio;
pub(crate) mod invariants;
pub(crate) mod memory_growth;
pub(crate) mod repeatability;
pub(crate) mod scale;
