//! Writes the index log anew, without what is outdated.

use media_cache_entry_files::KeyDigest;

use crate::cache::Cache;
use crate::clock;
use crate::disk::{Disk, describe};
use crate::index::Cursor;
use crate::index_log::log_file::{IndexLog, LOG, NEW_LOG};

/// How long the old log goes without what has changed meanwhile, in nanoseconds.
const PATIENCE: u64 = 500_000_000;

/// Entries that were removed and that a log has not learned of yet, for the new log and for the old one.
#[derive(Default)]
struct RemovedSince {
    for_new: Vec<KeyDigest>,
    for_old: Vec<KeyDigest>,
}

impl Cache {
    /// Writes a new log and puts it in the place of `old`, which is kept up to date until then.
    pub(crate) async fn rewrite(&self, disk: &Disk, old: Option<&mut IndexLog>) -> Result<IndexLog, String> {
        let own = disk.own().await?;
        let failed = |error| format!("cannot write {NEW_LOG}: {}", describe(&error));
        own.remove(NEW_LOG).await.map_err(failed)?;
        let file = own.open(NEW_LOG, true).await.map_err(failed)?;
        // Never one that a file of this name had before.
        let generation = old.as_ref().map_or(0, |old| old.generation + 1).max(clock::now());
        let mut log = IndexLog { file, generation, frames: 0, bytes: 0, counters: Vec::new(), outdated: false };
        let written = match self.write_all(&mut log, old).await {
            Ok(()) => own.rename(NEW_LOG, LOG).await.map_err(failed),
            Err(reason) => Err(reason),
        };
        if written.is_err() {
            // If even this fails, the next attempt does it.
            let _ = own.remove(NEW_LOG).await;
        }
        written.map(|()| log)
    }

    async fn write_all(&self, log: &mut IndexLog, mut old: Option<&mut IndexLog>) -> Result<(), String> {
        let mut removed = RemovedSince::default();
        let mut appended = clock::ticks();
        {
            let index = &mut self.state.borrow_mut().index;
            let oldest = index.oldest();
            index.set_cursor(Cursor::Compaction, oldest);
        }
        loop {
            self.note_removed(&mut removed, log);
            let batch = self.batch(Cursor::Compaction, &std::mem::take(&mut removed.for_new), log);
            if batch.last {
                // The new log has everything up to now, and what is used from now on has to be appended to it.
                self.state.borrow_mut().index.set_cursor(Cursor::Unflushed, None);
            }
            self.append_frame(log, &batch.records).await?;
            if batch.last {
                return Ok(());
            }
            if let Some(old) = old.as_deref_mut().filter(|old| !old.outdated && clock::ticks() > appended + PATIENCE) {
                self.note_removed(&mut removed, log);
                let batch = self.batch(Cursor::Unflushed, &std::mem::take(&mut removed.for_old), old);
                self.append_frame(old, &batch.records).await?;
                appended = clock::ticks();
            }
            wit_bindgen::yield_async().await;
        }
    }

    /// Each log has to learn of a removal before it learns of an entry that was stored under the same name afterwards.
    fn note_removed(&self, removed: &mut RemovedSince, log: &mut IndexLog) {
        let entries = self.take_removed(log);
        removed.for_new.extend(&entries);
        removed.for_old.extend(entries);
    }
}
