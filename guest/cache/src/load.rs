//! Loads the directory while requests are served from it.
//!
//! The index log says which entries are stored and in which order they were used. If the directory has not changed since it was closed, the
//! log is trusted. Otherwise the directory is listed, and the sidecars of entries that differ from the log are read. Then all entries are
//! reported to the policy, coldest first, and entries that exceed the budget are evicted. All of this happens in slices of a few
//! milliseconds. A request for an entry that is not verified yet reads its two files by name.

mod by_time;
mod order;
mod scan;
mod verify;

use std::rc::Rc;

use futures::future::{Either, select};

use crate::bindings::exports::media_cache::cache::cache::{LoadReport, StoreError};
use crate::bindings::media_cache::policy::eviction::Policy;
use crate::cache::Cache;
use crate::clock;
use crate::disk::Disk;
use crate::disk_health::Operation;
use crate::index::{SLICE, Slot};
use crate::index_log::log_file::{IndexLog, NEW_LOG};
use crate::mutants::Mutant;
use crate::single_flight::Role;

/// A loaded directory.
pub(crate) struct Loaded {
    /// The result of the load.
    pub report: LoadReport,
    /// The counters in the index log.
    pub counters: Vec<u64>,
}

impl Cache {
    /// Implements `ensure-loaded`, which the WIT documents.
    pub async fn ensure_loaded(&self) -> Result<LoadReport, StoreError> {
        loop {
            if let Some(report) = self.report.get() {
                return Ok(report);
            }
            if self.is_on_standby() {
                return Err(StoreError::NotReady);
            }
            let result = match self.loads.join(&()) {
                Role::Leader(leader) => {
                    let result = self.load().await;
                    self.record_load(&result);
                    leader.finish(|| result.clone());
                    result
                }
                Role::Follower(result) => match result.await {
                    Ok(result) => result,
                    Err(_) => continue,
                },
            };
            return result.map_err(StoreError::Disk);
        }
    }

    /// Waits until files can be read by name. If the directory was never opened and no load is in progress, this loads it.
    pub(crate) async fn ensure_open(&self) -> Result<(), StoreError> {
        loop {
            if self.report.get().is_some() || self.is_on_standby() {
                return Ok(());
            }
            match self.opening.follow(&()) {
                Some(opened) => {
                    // An error means that the leader stopped without a result: look again.
                    if let Ok(opened) = opened.await {
                        return opened.map_err(StoreError::Disk);
                    }
                }
                None if self.loads.is_led(&()) || self.disk.borrow().is_some() => return Ok(()),
                None => return self.ensure_loaded().await.map(drop),
            }
        }
    }

    /// Waits until the directory is loaded, for at most `limit` nanoseconds. Returns whether it is loaded.
    pub(crate) async fn wait_until_loaded(&self, limit: u64) -> bool {
        if self.report.get().is_none()
            && let Some(loaded) = self.loads.follow(&())
        {
            let wait = std::pin::pin!(clock::wait(limit));
            match select(loaded, wait).await {
                Either::Left(_) | Either::Right(_) => {}
            }
        }
        self.report.get().is_some()
    }

    fn record_load(&self, result: &Result<LoadReport, String>) {
        let health = &mut self.state.borrow_mut().disk_health;
        match result {
            Ok(_) => health.succeeded(Operation::Load),
            Err(reason) => health.failed(Operation::Load, reason.clone(), clock::now()),
        }
    }

    async fn load(&self) -> Result<LoadReport, String> {
        if Mutant::TrapsWhenLoaded.is_on() {
            std::process::abort();
        }
        let disk = self.open().await?;
        // If this fails, files can still be read by name.
        let Loaded { report, counters } = self.load_from(&disk).await?;
        let continued = self.continued.borrow();
        // The counters that an earlier instance passed on are already included.
        let known = continued.iter().copied().chain(std::iter::repeat(0));
        let beyond: Vec<u64> = counters.iter().zip(known).map(|(logged, known)| logged.saturating_sub(known)).collect();
        self.state.borrow_mut().counters.add(&beyond);
        Ok(report)
    }

    pub(crate) async fn open(&self) -> Result<Rc<Disk>, String> {
        let Role::Leader(opening) = self.opening.join(&()) else { return Err("the directory is being opened".into()) };
        let opened = match self.check_policy() {
            Ok(()) => Disk::open(&self.settings.directory, self.settings.durability).await.map(Rc::new),
            Err(reason) => Err(reason),
        };
        *self.disk.borrow_mut() = opened.as_ref().ok().cloned();
        opening.finish(|| opened.as_ref().map(drop).map_err(Clone::clone));
        opened
    }

    /// Loads the open directory.
    pub(crate) async fn load_from(&self, disk: &Disk) -> Result<Loaded, String> {
        // Read the version before anything is created or deleted.
        let version = disk.version().await.ok();
        let read = self.read_log(disk).await;
        let unchanged = read.as_ref().is_some_and(|read| read.closed.is_some() && read.closed == version);
        let mut report = LoadReport { entries: 0, from_index: 0, leftovers: 0, damaged: 0, evicted: 0 };
        let mut found = order::Found::default();
        if !unchanged {
            let replacements = self.scan(disk, &mut report).await?;
            self.recover_all(disk, replacements, &mut report).await;
            found = self.verify_all(disk, &mut report).await;
        }
        // The log lacks these entries, and they are not the most recently used, so they cannot be appended.
        let lacking = !found.is_empty() || report.damaged > 0;
        self.restore(found, &mut report).await;
        report.evicted += self.evict_to_budget().await;
        report.from_index = self.count_logged().await;
        if let Ok(own) = disk.own().await {
            // If it cannot be deleted, rewriting the log will report that.
            let _ = own.remove(NEW_LOG).await;
        }
        let counters = self.begin_log(read.map(|read| read.log), lacking);
        report.entries = self.state.borrow().index.len() as u64;
        self.report.set(Some(report));
        Ok(Loaded { report, counters })
    }

    /// The number of entries that match the log.
    async fn count_logged(&self) -> u64 {
        let (mut count, mut start): (_, Slot) = (0, 0);
        while start < self.state.borrow().index.slot_count() {
            let end = start.saturating_add(SLICE);
            {
                let index = &self.state.borrow().index;
                count += (start..end).filter(|slot| index.get(*slot).is_some_and(|entry| entry.logged)).count() as u64;
            }
            start = end;
            wit_bindgen::yield_async().await;
        }
        count
    }

    /// Ends the load and drops the state that is only needed until then. Returns the counters in the index log.
    pub(crate) fn begin_log(&self, mut log: Option<IndexLog>, lacking: bool) -> Vec<u64> {
        let state = &mut *self.state.borrow_mut();
        for (digest, hits) in state.loading.take().unwrap_or_default().earlier_hits {
            if let Some(entry) = state.index.find(&digest).and_then(|slot| state.index.get_mut(slot)) {
                entry.hits = entry.hits.saturating_add(hits);
            }
        }
        if let Some(log) = &mut log {
            log.outdated |= lacking;
        }
        self.log_bytes.set([log.as_ref().map_or(0, |log| log.bytes), 0]);
        let counters = log.as_ref().map(|log| log.counters.clone()).unwrap_or_default();
        *self.log.borrow_mut() = log;
        counters
    }

    /// Reports a policy that cannot be created with its options.
    fn check_policy(&self) -> Result<(), String> {
        let created = Policy::create(self.settings.max_entry_bytes(), &self.settings.policy_options);
        created.map(drop).map_err(|reason| format!("the eviction policy cannot be used: {reason}"))
    }
}
