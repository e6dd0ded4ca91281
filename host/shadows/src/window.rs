//! Windows: consecutive spans of requests, over which misses are summed up.

use std::collections::VecDeque;

use media_cache_simulator::LowerBound;

use crate::active::Active;
use crate::sums::{GroupSums, Sums};

/// Windows that ended earlier than this before the last one, in milliseconds, are forgotten.
const KEPT_FOR: u64 = 6 * 60 * 60 * 1000;

/// The maximum number of windows that are kept. If there are more, older ones are merged.
const MAX_WINDOWS: usize = 96;

/// This many windows are kept even if they are older, since decisions need them.
const MIN_WINDOWS: usize = 8;

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
    pub active: Active,
}

impl Window {
    /// Adds the window that follows.
    fn extend(&mut self, next: &Self) {
        (self.number, self.ended) = (next.number, next.ended);
        self.requested = self.requested.plus(next.requested, 1.0);
        self.missed = self.missed.plus(next.missed, 1.0);
        self.missed_in_sample.add_all(&next.missed_in_sample);
        for (points, next) in self.shadows.iter_mut().zip(&next.shadows) {
            match (points.as_mut(), next) {
                (Some(points), Some(next)) => points.iter_mut().zip(next).for_each(|(point, next)| point.add_all(next)),
                _ => *points = None,
            }
        }
        for (error, next) in self.scaling_errors.iter_mut().zip(&next.scaling_errors) {
            *error = error.max(*next);
        }
    }
}

/// The closed windows, and the lower bound of the last one.
#[derive(Default)]
pub(crate) struct History {
    pub windows: VecDeque<Window>,
    /// The lower bounds for the sample, one for each capacity.
    pub bounds: Vec<LowerBound>,
    /// The number of requests of the window of the bounds, the sum of their sizes, and the share of objects in its sample.
    pub bounded: (Sums, f64),
}

impl History {
    pub fn push(&mut self, window: Window) {
        let oldest = window.ended.saturating_sub(KEPT_FOR);
        self.windows.push_back(window);
        while self.windows.len() > MIN_WINDOWS && self.windows.front().is_some_and(|window| window.ended < oldest) {
            self.windows.pop_front();
        }
        if self.windows.len() > MAX_WINDOWS {
            self.merge_older_half();
        }
    }

    /// Halves the number of windows in the older half.
    fn merge_older_half(&mut self) {
        let recent = self.windows.split_off(MAX_WINDOWS / 2);
        let mut merged: VecDeque<Window> = VecDeque::with_capacity(self.windows.len());
        let mut is_whole = true;
        for window in std::mem::take(&mut self.windows) {
            match merged.back_mut().filter(|last| !is_whole && last.active.is_same(&window.active)) {
                Some(last) => {
                    last.extend(&window);
                    is_whole = true;
                }
                None => {
                    merged.push_back(window);
                    is_whole = false;
                }
            }
        }
        merged.extend(recent);
        self.windows = merged;
    }

    /// The memory used, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        let points = |window: &Window| window.shadows.iter().flatten().map(Vec::len).sum::<usize>() * size_of::<GroupSums>();
        self.windows.iter().map(|window| (size_of::<Window>() + points(window)) as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(number: u64, length: u64) -> Window {
        let requested = Sums { requests: 10.0, ..Sums::default() };
        let shadows = vec![Some(vec![GroupSums::default(); 5])];
        Window {
            number,
            began: number * length,
            ended: (number + 1) * length,
            requested,
            shadows,
            scaling_errors: vec![0.0],
            ..Window::default()
        }
    }

    #[test]
    fn long_windows_are_kept_until_there_are_enough_for_a_decision() {
        let mut history = History::default();
        (0..20).for_each(|number| history.push(window(number, 2 * KEPT_FOR)));
        assert_eq!((history.windows.len(), history.windows[7].number), (MIN_WINDOWS, 19));
    }

    #[test]
    fn older_windows_are_merged_and_no_request_is_lost() {
        let mut history = History::default();
        (0..300).for_each(|number| history.push(window(number, 1000)));
        assert!(history.windows.len() <= MAX_WINDOWS);
        assert_eq!(history.windows.iter().map(|window| window.requested.requests).sum::<f64>(), 3000.0);
        let ends: Vec<u64> = history.windows.iter().map(|window| window.ended).collect();
        assert!(ends.is_sorted() && ends.last() == Some(&300_000), "{ends:?}");
        assert!(history.windows.iter().zip(history.windows.iter().skip(1)).all(|(one, next)| one.ended == next.began));
        assert!(history.windows.iter().rev().take(MAX_WINDOWS / 2 - 1).all(|window| window.ended - window.began == 1000));
    }
}
