//! Puts the entries into the order of their use, and has the policy learn of them.
//!
//! Entries of the index log keep its order, whatever their times are: a clock may have been set back. Others are inserted by time. A
//! million of them cannot be sorted at once without keeping everyone waiting, so they are sorted in runs, which are merged page by page.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::bindings::exports::media_cache::cache::cache::LoadReport;
use crate::cache::Cache;
use crate::entry::{EntryState, Evicted};
use crate::index::{Cursor, Slot};
use crate::state::State;

/// The number of entries that a policy restores in one call.
const PAGE: usize = 1024;

/// The number of entries that are sorted at once.
const RUN: usize = 8192;

/// Entries that the index log does not know, by the time of their last use.
#[derive(Default)]
pub(super) struct Found {
    runs: Vec<Vec<Reverse<(u64, Slot)>>>,
    changed: bool,
}

impl Found {
    /// Adds an entry.
    pub fn push(&mut self, accessed_at: u64, slot: Slot) {
        if self.runs.last().is_none_or(|run| run.len() == RUN) {
            self.sort_last();
            self.runs.push(Vec::new());
        }
        if let Some(run) = self.runs.last_mut() {
            run.push(Reverse((accessed_at, slot)));
        }
    }

    /// Notes that the index log says something else about an entry that it knows.
    pub fn note_changed(&mut self) {
        self.changed = true;
    }

    /// Whether the index log has everything.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && !self.changed
    }

    fn sort_last(&mut self) {
        if let Some(run) = self.runs.last_mut() {
            // The oldest is the last.
            run.sort_unstable();
        }
    }

    fn into_sorted(mut self) -> Sorted {
        self.sort_last();
        let heads = self.runs.iter_mut().enumerate().filter_map(|(run, entries)| Some((entries.pop()?, run)));
        Sorted { heads: heads.collect(), runs: self.runs }
    }
}

/// The found entries, oldest first.
struct Sorted {
    heads: BinaryHeap<(Reverse<(u64, Slot)>, usize)>,
    runs: Vec<Vec<Reverse<(u64, Slot)>>>,
}

impl Sorted {
    fn peek(&self) -> Option<(u64, Slot)> {
        self.heads.peek().map(|(Reverse(entry), _)| *entry)
    }

    fn pop(&mut self) {
        if let Some((_, run)) = self.heads.pop()
            && let Some(next) = self.runs.get_mut(run).and_then(Vec::pop)
        {
            self.heads.push((next, run));
        }
    }
}

impl Cache {
    /// Puts all entries into the order of their use, and has the policy of the disk tier learn of them, coldest first.
    pub(super) async fn restore(&self, found: Found, report: &mut LoadReport) {
        let mut sorted = found.into_sorted();
        let mut number = 0;
        {
            let index = &mut self.state.borrow_mut().index;
            let oldest = index.oldest();
            index.set_cursor(Cursor::Loading, oldest);
        }
        loop {
            let (oversize, last) = self.state.borrow_mut().restore_page(&mut sorted, &mut number, self.settings.max_entry_bytes());
            report.evicted += oversize.len() as u64;
            self.delete_evicted(oversize).await;
            if last {
                return;
            }
            wit_bindgen::yield_async().await;
        }
    }
}

impl State {
    /// Restores the next page. Returns entries that exceed the budget of all entries, and whether this was the last page.
    fn restore_page(&mut self, sorted: &mut Sorted, number: &mut u64, budget: u64) -> (Vec<Evicted>, bool) {
        let (mut page, mut oversize) = (Vec::with_capacity(PAGE), Vec::new());
        while page.len() < PAGE {
            let Some(slot) = self.next_in_order(sorted, number) else { break };
            let Some(entry) = self.index.get_mut(slot) else { continue };
            if entry.state == EntryState::Unverified {
                // The directory has not changed since the log was written.
                entry.state = EntryState::Stored;
            }
            if !entry.is_stored() || entry.tracked {
                continue;
            }
            if entry.disk_size() > budget {
                oversize.extend(self.take_entry(slot));
                self.counters.count_evictions(1);
                continue;
            }
            entry.tracked = true;
            page.push(entry.for_policy(slot.into(), entry.disk_size()));
        }
        self.disk_tier.restore(&page);
        let last = page.len() < PAGE;
        if last && let Some(loading) = &mut self.loading {
            loading.restored = true;
        }
        (oversize, last)
    }

    /// The next entry in the order of use. A found one takes its place in it.
    fn next_in_order(&mut self, sorted: &mut Sorted, number: &mut u64) -> Option<Slot> {
        loop {
            *number += 1;
            let next = self.index.cursor(Cursor::Loading);
            // From here on, entries were used since the start.
            let earlier = next.filter(|slot| Some(*slot) != self.index.cursor(Cursor::Unflushed) && self.index.is_earlier(*slot));
            let time = earlier.and_then(|slot| self.index.get(slot)).map(|entry| entry.accessed_at);
            match sorted.peek() {
                Some((accessed_at, slot)) if time.is_none_or(|time| accessed_at < time) => {
                    sorted.pop();
                    if self.index.place_found(slot, Cursor::Loading, *number) {
                        return Some(slot);
                    }
                }
                _ => {
                    let slot = self.index.advance(Cursor::Loading)?;
                    if earlier.is_some() {
                        self.index.renumber(slot, *number);
                    }
                    return Some(slot);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_entries_come_in_the_order_of_their_times() {
        let mut found = Found::default();
        let times: Vec<u64> = (0..3 * RUN as u64 + 5).map(|number| number * 7919 % 24593).collect();
        times.iter().enumerate().for_each(|(slot, time)| found.push(*time, slot as Slot));
        let mut sorted = found.into_sorted();
        let mut last = 0;
        for _ in &times {
            let (time, slot) = sorted.peek().unwrap();
            assert!(last <= time && times[slot as usize] == time);
            last = time;
            sorted.pop();
        }
        assert_eq!(sorted.peek(), None);
    }
}
