//! Replaces one instance of the component with another that uses the same directory.
//!
//! On standby, no write permits are granted. A new cache on standby reads the index log and reports its entries to the policy. The active
//! cache then marks the log as complete, as if the directory was closed, and goes on standby. `activate` therefore only has to read what
//! was appended in between. If the log was rewritten or is not complete, `activate` loads the directory like any other start.

use crate::bindings::exports::media_cache::cache::cache::{EarlierHits, LoadReport, Stats, StoreError};
use crate::cache::Cache;
use crate::clock;
use crate::counters::Counters;
use crate::disk::Disk;
use crate::index::{SLICE, Slot};
use crate::index_log::log_file::{IndexLog, ReadLog};
use crate::loading::Loading;
use crate::mutants::Mutant;
use crate::on_standby::Standby;
use crate::single_flight::{Leader, Role};

impl Cache {
    /// Implements `standby`, which the WIT documents.
    pub async fn standby(&self) -> Result<LoadReport, StoreError> {
        let transition = self.lead_transition().await;
        let report = if self.is_on_standby() {
            Ok(self.report_on_standby())
        } else if self.report.get().is_some() || self.loads.is_led(&()) {
            self.retire().await
        } else {
            self.prepare().await
        };
        transition.finish(|| ());
        report
    }

    /// Implements `activate`, which the WIT documents.
    pub async fn activate(&self, predecessor: Option<Stats>) -> Result<(), StoreError> {
        let transition = self.lead_transition().await;
        let activated = if self.is_on_standby() { self.end_standby(predecessor).await } else { Ok(()) };
        transition.finish(|| ());
        activated
    }

    /// Implements `continue-counters`, which the WIT documents.
    pub fn continue_counters(&self, counters: &Stats) {
        let known = Counters::from(counters).values();
        self.state.borrow_mut().counters.add(&known);
        *self.continued.borrow_mut() = known;
    }

    /// Implements `add-counters`, which the WIT documents.
    pub fn add_counters(&self, counters: &Stats) {
        self.state.borrow_mut().counters.add(&Counters::from(counters).values());
    }

    /// Implements `record-earlier-hits`, which the WIT documents.
    pub fn record_earlier_hits(&self, hits: &[EarlierHits]) {
        let (state, now) = (&mut *self.state.borrow_mut(), clock::now());
        for EarlierHits { url, hits, disk_hits } in hits {
            let digest = self.lookup_key(url).digest;
            state.counters.disk_hits += u64::from(*disk_hits.min(hits));
            state.record_earlier_hits(&digest, *hits, now);
        }
    }

    /// Implements `release`, which the WIT documents.
    pub fn release(&self) {
        self.state.borrow_mut().memory_tier.release_all();
    }

    /// Whether the cache is on standby or about to go on standby.
    pub(crate) fn is_on_standby(&self) -> bool {
        self.permits.are_refused()
    }

    /// Returns the leader role for entering or leaving standby, which only one call at a time may do.
    async fn lead_transition(&self) -> Leader<(), (), impl std::hash::BuildHasher + use<>> {
        loop {
            match self.transitions.join(&()) {
                Role::Leader(leader) => return leader,
                Role::Follower(over) => drop(over.await),
            }
        }
    }

    fn report_on_standby(&self) -> LoadReport {
        let entries = self.state.borrow().index.len() as u64;
        self.report.get().unwrap_or(LoadReport { entries, from_index: entries, leftovers: 0, damaged: 0, evicted: 0 })
    }

    /// Puts an active cache on standby.
    async fn retire(&self) -> Result<LoadReport, StoreError> {
        let report = self.ensure_loaded().await?;
        self.permits.refuse().await;
        let saved = self.save(true).await;
        if let Err(error) = saved {
            self.permits.allow();
            return Err(error);
        }
        let version = match self.open_disk() {
            Ok(disk) => disk.version().await.ok(),
            Err(_) => None,
        };
        *self.on_standby.borrow_mut() = Standby { read: None, version };
        Ok(report)
    }

    /// Puts a new cache on standby.
    async fn prepare(&self) -> Result<LoadReport, StoreError> {
        self.permits.refuse().await;
        let disk = match self.open().await {
            Ok(disk) => disk,
            Err(reason) => {
                self.permits.allow();
                return Err(StoreError::Disk(reason));
            }
        };
        // If part of the log cannot be read now, `activate` reads it, or loads the directory instead.
        if let Some(mut read) = self.begin_log_read(&disk).await {
            self.continue_log_read(&mut read).await;
            self.track_logged().await;
            *self.on_standby.borrow_mut() = Standby { read: Some(read), version: None };
        }
        Ok(self.report_on_standby())
    }

    async fn end_standby(&self, predecessor: Option<Stats>) -> Result<(), StoreError> {
        let disk = self.open_disk()?;
        if self.report.get().is_some() {
            if !self.is_unchanged(&disk).await {
                let reason = "the directory has changed since the cache went on standby";
                return Err(StoreError::Disk(reason.into()));
            }
        } else {
            let logged = self.load_after_standby(&disk).await.map_err(StoreError::Disk)?;
            match predecessor {
                Some(stats) => self.add_counters(&stats),
                None => self.state.borrow_mut().counters.add(&logged),
            }
        }
        if Mutant::TrapsWhenActivated.is_on() {
            std::process::abort();
        }
        if Mutant::FailsToActivate.is_on() {
            return Err(StoreError::Disk("a fault that a test switched on".into()));
        }
        self.permits.allow();
        Ok(())
    }

    /// Whether neither the entries nor the index log have changed since the cache went on standby.
    async fn is_unchanged(&self, disk: &Disk) -> bool {
        let version = self.on_standby.borrow().version;
        let Some(end) = self.log.borrow().as_ref().map(IndexLog::end) else { return false };
        version.is_some() && disk.version().await.ok() == version && self.log_ends_at(disk, end).await
    }

    /// Loads the changes that a new cache has not read yet. Returns the counters in the index log.
    async fn load_after_standby(&self, disk: &Disk) -> Result<Vec<u64>, String> {
        let read = self.on_standby.borrow_mut().read.take();
        if let Some(mut read) = read
            && self.catch_up(disk, &mut read).await
        {
            return Ok(self.finish_load(read).await);
        }
        self.forget_all().await;
        self.load_from(disk).await.map(|loaded| loaded.counters)
    }

    /// Reads what was appended to the index log since `standby`. Returns whether the log covers everything in the directory.
    async fn catch_up(&self, disk: &Disk, read: &mut ReadLog) -> bool {
        let version = disk.version().await.ok();
        self.is_same_log(disk, read).await && self.continue_log_read(read).await && read.closed.is_some() && read.closed == version
    }

    /// Finishes the load of a directory that the index log describes completely.
    async fn finish_load(&self, read: ReadLog) -> Vec<u64> {
        let from_index = self.trust_log().await;
        let evicted = self.evict_to_budget().await;
        let counters = self.begin_log(Some(read.log), false);
        let entries = self.state.borrow().index.len() as u64;
        self.report.set(Some(LoadReport { entries, from_index, leftovers: 0, damaged: 0, evicted }));
        counters
    }

    /// Forgets the content of the index log. All handles become invalid.
    async fn forget_all(&self) {
        let mut start: Slot = 0;
        while start < self.state.borrow().index.slot_count() {
            {
                let state = &mut *self.state.borrow_mut();
                for slot in start..start.saturating_add(SLICE) {
                    state.remove_entry(slot);
                }
            }
            start = start.saturating_add(SLICE);
            wit_bindgen::yield_async().await;
        }
        let state = &mut *self.state.borrow_mut();
        state.index.take_removed();
        state.loading = Some(Loading::default());
    }
}
