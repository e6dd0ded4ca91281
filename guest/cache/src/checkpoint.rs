//! Saves state that exists only in memory.

use crate::bindings::exports::media_cache::cache::cache::StoreError;
use crate::cache::Cache;
use crate::clock;
use crate::disk::{Disk, describe};
use crate::disk_health::Operation;
use crate::index_log::log_file::{IndexLog, LOG};
use crate::single_flight::Role;

impl Cache {
    /// Implements `checkpoint`, which the WIT documents.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        if self.is_on_standby() { Err(StoreError::NotReady) } else { self.save(false).await }
    }

    /// Implements `close`, which the WIT documents.
    pub async fn close(&self) -> Result<(), StoreError> {
        if self.is_on_standby() { Err(StoreError::NotReady) } else { self.save(true).await }
    }

    /// Saves the index. With `close`, nothing may be written afterwards.
    pub(crate) async fn save(&self, close: bool) -> Result<(), StoreError> {
        if self.report.get().is_none() && (close || self.loads.is_led(&())) {
            // The log contains entries that have not been loaded yet.
            return Ok(());
        }
        self.ensure_loaded().await?;
        // Saves run one at a time. A caller does not share the result of another save, because more may have changed since that save began.
        let leader = loop {
            match self.checkpoints.join(&()) {
                Role::Leader(leader) => break leader,
                Role::Follower(written) => drop(written.await),
            }
        };
        if !close && self.is_on_standby() {
            // The cache went on standby in the meantime, so nothing may be written.
            return Err(StoreError::NotReady);
        }
        let disk = self.open_disk()?;
        self.try_again(&disk, close).await;
        self.evict_to_budget().await;
        self.evict_to_free_space(&disk).await;
        let saved = self.save_index(&disk, close).await;
        {
            let health = &mut self.state.borrow_mut().disk_health;
            match &saved {
                Ok(()) => health.succeeded(Operation::Log),
                Err(reason) => health.failed(Operation::Log, reason.clone(), clock::now()),
            }
        }
        leader.finish(|| ());
        saved.map_err(StoreError::Disk)
    }

    async fn save_index(&self, disk: &Disk, close: bool) -> Result<(), String> {
        let mut log = self.log.borrow_mut().take();
        if let Some(log) = &mut log {
            // Anything appended to a deleted file is lost.
            log.outdated |= match disk.own().await {
                Ok(own) => !own.exists(LOG).await,
                Err(_) => true,
            };
        }
        let entries = self.state.borrow().index.len();
        let mut saved = match &mut log {
            Some(log) if !log.is_outdated(entries, self.settings.reserved_disk_bytes) => self.append(log).await,
            _ => {
                self.log_bytes.set([self.log_bytes.get()[0], IndexLog::expected_bytes(entries)]);
                match self.rewrite(disk, log.as_mut()).await {
                    Ok(new) => {
                        log = Some(new);
                        Ok(())
                    }
                    Err(reason) => {
                        // The log lacks changes that are no longer known, so all of it has to be rewritten.
                        log.iter_mut().for_each(|log| log.outdated = true);
                        Err(reason)
                    }
                }
            }
        };
        self.log_bytes.set([log.as_ref().map_or(0, |log| log.bytes), 0]);
        let is_finished = {
            let state = self.state.borrow();
            state.remains.is_empty() && !state.unfinished && disk.leftovers().is_empty()
        };
        if close
            && is_finished
            && saved.is_ok()
            && let Some(log) = &mut log
        {
            saved = match disk.version().await {
                Ok(version) => self.append_closed(log, version).await,
                Err(error) => Err(format!("cannot inspect the directory: {}", describe(&error))),
            };
        }
        *self.log.borrow_mut() = log;
        saved
    }
}
