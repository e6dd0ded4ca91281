//! Slots ordered by time. Sorting a million of them in one step would block all other calls, so they are sorted in runs, which are merged
//! as they are taken.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::index::Slot;

/// The number of slots that are sorted in one step.
const RUN: usize = 8192;

type Run = Vec<Reverse<(u64, Slot)>>;

/// Slots to be sorted by their times.
#[derive(Default)]
pub(super) struct ByTime {
    runs: Vec<Run>,
}

impl ByTime {
    /// Adds a slot.
    pub fn push(&mut self, time: u64, slot: Slot) {
        if self.runs.last().is_none_or(|run| run.len() == RUN) {
            self.sort_last();
            self.runs.push(Vec::new());
        }
        if let Some(run) = self.runs.last_mut() {
            run.push(Reverse((time, slot)));
        }
    }

    /// Whether there are no slots.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Finishes sorting.
    pub fn into_sorted(mut self) -> Sorted {
        self.sort_last();
        let heads = self.runs.iter_mut().enumerate().filter_map(|(run, slots)| Some((slots.pop()?, run)));
        Sorted { heads: heads.collect(), runs: self.runs }
    }

    fn sort_last(&mut self) {
        if let Some(run) = self.runs.last_mut() {
            // The oldest slot is at the end.
            run.sort_unstable();
        }
    }
}

/// Slots in the order of their times, oldest first.
pub(super) struct Sorted {
    heads: BinaryHeap<(Reverse<(u64, Slot)>, usize)>,
    runs: Vec<Run>,
}

impl Sorted {
    /// Whether no slots are left.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// The next slot and its time.
    pub fn peek(&self) -> Option<(u64, Slot)> {
        self.heads.peek().map(|(Reverse(entry), _)| *entry)
    }

    /// Takes the next slot and its time.
    pub fn pop(&mut self) -> Option<(u64, Slot)> {
        let (Reverse(entry), run) = self.heads.pop()?;
        if let Some(next) = self.runs.get_mut(run).and_then(Vec::pop) {
            self.heads.push((next, run));
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_sorted_by_their_times() {
        let mut unsorted = ByTime::default();
        let times: Vec<u64> = (0..3 * RUN as u64 + 5).map(|number| number * 7919 % 24593).collect();
        times.iter().enumerate().for_each(|(slot, time)| unsorted.push(*time, slot as Slot));
        let mut sorted = unsorted.into_sorted();
        let mut last = 0;
        for _ in &times {
            let next = sorted.peek();
            let (time, slot) = sorted.pop().unwrap();
            assert!(last <= time && times[slot as usize] == time && next == Some((time, slot)));
            last = time;
        }
        assert!(sorted.is_empty() && sorted.pop().is_none());
    }
}
