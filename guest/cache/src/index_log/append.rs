//! Appends changes to the index log.

use media_cache_entry_files::KeyDigest;

use crate::bindings::media_cache::cache::storage;
use crate::cache::Cache;
use crate::disk::describe;
use crate::index::Cursor;
use crate::index_log::frame::{HEAD, write_frame};
use crate::index_log::log_file::{IndexLog, LOG};
use crate::index_log::record::{put_accessed, put_closed, put_counters, put_removed, put_stored};

/// The number of entries in a frame.
const FRAME: usize = 1024;

/// The content of the next frame.
pub(super) struct Batch {
    pub records: Vec<u8>,
    /// Whether there is currently nothing more to write.
    pub last: bool,
}

impl Cache {
    /// Appends the changes since the last time.
    pub(crate) async fn append(&self, log: &mut IndexLog) -> Result<(), String> {
        loop {
            let removed = self.take_removed(log);
            let batch = self.batch(Cursor::Unflushed, &removed, log);
            self.append_frame(log, &batch.records).await?;
            if batch.last {
                return Ok(());
            }
        }
    }

    /// Appends the record that ends the log: nothing changes in the directory from now on, and the directory has this version.
    pub(crate) async fn append_closed(&self, log: &mut IndexLog, version: u64) -> Result<(), String> {
        let mut records = Vec::new();
        put_closed(&mut records, version);
        self.append_frame(log, &records).await
    }

    /// Takes the entries that are in the log and were removed since.
    pub(super) fn take_removed(&self, log: &mut IndexLog) -> Vec<KeyDigest> {
        let removed = self.state.borrow_mut().index.take_removed();
        log.outdated |= !removed.all;
        removed.entries
    }

    /// Returns the content of the next frame: the removed entries, then the next entries at the cursor, and after the last of them the
    /// counters, if they differ from those in the log.
    pub(super) fn batch(&self, cursor: Cursor, removed: &[KeyDigest], log: &mut IndexLog) -> Batch {
        let state = &mut *self.state.borrow_mut();
        let mut records = Vec::new();
        removed.iter().for_each(|digest| put_removed(&mut records, digest));
        for _ in 0..FRAME {
            let Some(slot) = state.index.advance(cursor) else { break };
            let Some(entry) = state.index.get_mut(slot).filter(|entry| entry.is_stored()) else { continue };
            match cursor {
                Cursor::Unflushed if entry.logged => put_accessed(&mut records, entry),
                _ => put_stored(&mut records, entry),
            }
            entry.logged = true;
        }
        let last = state.index.cursor(cursor).is_none();
        let counters = state.all_counters().values();
        if last && log.counters != counters {
            put_counters(&mut records, &counters);
            log.counters = counters;
        }
        Batch { records, last }
    }

    pub(super) async fn append_frame(&self, log: &mut IndexLog, records: &[u8]) -> Result<(), String> {
        if records.is_empty() {
            return Ok(());
        }
        let frame = write_frame(log.generation, log.frames, records);
        let written = storage::write_at(&log.file, log.bytes, frame).await;
        if let Err(error) = written {
            // The content of the failed frame cannot be appended again.
            log.outdated = true;
            return Err(format!("cannot write {LOG}: {}", describe(&error)));
        }
        log.frames += 1;
        log.bytes += (HEAD + records.len()) as u64;
        Ok(())
    }
}
