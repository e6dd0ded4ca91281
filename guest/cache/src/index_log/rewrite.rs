//! Rewrites the index log without outdated records.

use media_cache_entry_files::KeyDigest;

use crate::cache::Cache;
use crate::clock;
use crate::disk::{Disk, describe};
use crate::index::Cursor;
use crate::index_log::log_file::{IndexLog, LOG, NEW_LOG};

/// How long, in nanoseconds, the old log may lack the changes that happen during the rewrite.
const PATIENCE: u64 = 500_000_000;

/// Removed entries that still have to be recorded in the new log and in the old one.
#[derive(Default)]
struct RemovedSince {
    for_new: Vec<KeyDigest>,
    for_old: Vec<KeyDigest>,
}

impl Cache {
    /// Writes a new log and replaces `old` with it. Until then, `old` is kept up to date.
    pub(crate) async fn rewrite(&self, disk: &Disk, old: Option<&mut IndexLog>) -> Result<IndexLog, String> {
        let own = disk.own().await?;
        let failed = |error| format!("cannot write {NEW_LOG}: {}", describe(&error));
        own.remove(NEW_LOG).await.map_err(failed)?;
        let file = own.open(NEW_LOG, true).await.map_err(failed)?;
        // No earlier file of this name had this generation.
        let generation = old.as_ref().map_or(0, |old| old.generation + 1).max(clock::now());
        let mut log = IndexLog { file, generation, frames: 0, bytes: 0, counters: Vec::new(), outdated: false };
        let written = match self.write_all(&mut log, old).await {
            Ok(()) => own.rename(NEW_LOG, LOG).await.map_err(failed),
            Err(reason) => Err(reason),
        };
        if written.is_err() {
            // If this fails too, the next attempt deletes it.
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
                // The new log is complete up to now; uses from now on have to be appended to it.
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

    /// Each log must record a removal before an entry that was stored later under the same name.
    fn note_removed(&self, removed: &mut RemovedSince, log: &mut IndexLog) {
        let entries = self.take_removed(log);
        removed.for_new.extend(&entries);
        removed.for_old.extend(entries);
    }
}
