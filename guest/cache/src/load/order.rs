//! Puts the entries into their order of use and reports them to the policy.
//!
//! Entries in the index log keep the order of the log regardless of their times, since a clock may have been set back. Others are inserted
//! by time.

use crate::bindings::exports::media_cache::cache::cache::LoadReport;
use crate::bindings::media_cache::policy::eviction;
use crate::cache::Cache;
use crate::entry::{EntryState, Evicted};
use crate::index::{Cursor, Slot};
use crate::load::by_time::{ByTime, Sorted};
use crate::state::State;

/// The number of entries that a policy restores in one call.
const PAGE: usize = 1024;

/// Entries that are not in the index log, by the time of their last use.
#[derive(Default)]
pub(super) struct Found {
    slots: ByTime,
    changed: bool,
}

impl Found {
    /// Adds an entry.
    pub fn push(&mut self, accessed_at: u64, slot: Slot) {
        self.slots.push(accessed_at, slot);
    }

    /// Records that an entry differs from its description in the index log.
    pub fn note_changed(&mut self) {
        self.changed = true;
    }

    /// Whether the index log is complete.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty() && !self.changed
    }
}

impl Cache {
    /// Puts all entries into their order of use and reports them to the policy of the disk tier, coldest first.
    pub(super) async fn restore(&self, found: Found, report: &mut LoadReport) {
        let mut sorted = found.slots.into_sorted();
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

impl Cache {
    /// Reports the entries in the index log to the policy of the disk tier, coldest first. After that, each record is reported as it is
    /// read.
    pub(crate) async fn track_logged(&self) {
        {
            let index = &mut self.state.borrow_mut().index;
            let oldest = index.oldest();
            index.set_cursor(Cursor::Loading, oldest);
        }
        while !self.state.borrow_mut().track_page() {
            wit_bindgen::yield_async().await;
        }
    }
}

impl State {
    /// Tracks the next page. Returns whether it was the last one.
    fn track_page(&mut self) -> bool {
        let mut page = Vec::with_capacity(PAGE);
        while page.len() < PAGE {
            let Some(slot) = self.index.advance(Cursor::Loading) else { break };
            if let Some(entry) = self.index.get_mut(slot).filter(|entry| !entry.tracked) {
                entry.tracked = true;
                page.push(entry.for_policy(slot.into(), entry.disk_size()));
            }
        }
        self.end_page(&page)
    }

    /// Reports a page of entries to the policy. Returns whether it was the last one.
    fn end_page(&mut self, page: &[eviction::Entry]) -> bool {
        self.disk_tier.restore(page);
        let last = page.len() < PAGE;
        if last && let Some(loading) = &mut self.loading {
            loading.restored = true;
        }
        last
    }

    /// On standby, reports an entry to the policy as the index log now describes it.
    pub(crate) fn track_on_standby(&mut self, slot: Slot) {
        if self.loading.as_ref().is_none_or(|loading| !loading.restored) {
            return;
        }
        let Some(entry) = self.index.get_mut(slot) else { return };
        let was_tracked = std::mem::replace(&mut entry.tracked, true);
        let entry = entry.for_policy(slot.into(), entry.disk_size());
        if was_tracked {
            self.disk_tier.removed(slot.into());
        }
        self.disk_tier.restore(&[entry]);
    }

    /// Restores the next page. Returns the entries that are larger than the whole entry budget, and whether this
    /// was the last page.
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
        let last = self.end_page(&page);
        (oversize, last)
    }

    /// The next entry in the order of use. A found entry is moved to its place in the order.
    fn next_in_order(&mut self, sorted: &mut Sorted, number: &mut u64) -> Option<Slot> {
        loop {
            *number += 1;
            let next = self.index.cursor(Cursor::Loading);
            // Entries from here on were used since the start.
            let earlier = next.filter(|slot| Some(*slot) != self.index.cursor(Cursor::Unflushed) && self.index.is_earlier(*slot));
            let time = earlier.and_then(|slot| self.index.get(slot)).map(|entry| entry.accessed_at);
            match sorted.peek() {
                Some((accessed_at, slot)) if time.is_none_or(|time| accessed_at < time) => {
                    let _ = sorted.pop();
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
