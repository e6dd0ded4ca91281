//! Windows: consecutive spans of requests, over which misses are summed up.

use std::collections::VecDeque;

use media_cache_simulator::LowerBound;

use crate::sums::{GroupSums, Sums};

/// Windows that began earlier than this before the last one, in milliseconds, are forgotten.
const KEPT_FOR: u64 = 6 * 60 * 60 * 1000;

/// The maximum number of windows that are kept.
const MAX_WINDOWS: usize = 360;

/// A span of requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    /// Counted from 1.
    pub number: u64,
    /// When it began and ended, in milliseconds since 1970.
    pub began: u64,
    pub ended: u64,
    /// All requests, and those that the cache missed.
    pub requested: Sums,
    pub missed: Sums,
    /// The misses of the cache in the sample.
    pub missed_in_sample: GroupSums,
    /// By shadow: its misses at each capacity, if they count.
    pub shadows: Vec<Option<Vec<GroupSums>>>,
    /// By shadow: by how much a miss ratio may differ because the caches are scaled to the sample.
    pub scaling_errors: Vec<f64>,
    /// The policy of the cache at the end.
    pub active: String,
}

/// The closed windows, and the lower bound of the last one.
#[derive(Default)]
pub(crate) struct History {
    pub windows: VecDeque<Window>,
    /// By capacity, for the sample.
    pub bounds: Vec<LowerBound>,
    /// The number of requests of the window of the bounds, the sum of their sizes, and the share of objects in its sample.
    pub bounded: (Sums, f64),
}

impl History {
    pub fn push(&mut self, window: Window) {
        let oldest = window.ended.saturating_sub(KEPT_FOR);
        self.windows.push_back(window);
        while self.windows.len() > MAX_WINDOWS || self.windows.front().is_some_and(|window| window.began < oldest) {
            self.windows.pop_front();
        }
    }

    /// The memory used, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        let points = |window: &Window| window.shadows.iter().flatten().map(Vec::len).sum::<usize>() * size_of::<GroupSums>();
        self.windows.iter().map(|window| (size_of::<Window>() + points(window)) as u64).sum()
    }
}
