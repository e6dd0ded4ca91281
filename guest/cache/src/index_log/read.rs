//! Reads the index log at the start. A cache on standby reads it up to its current end, and later continues from there.

use crate::bindings::media_cache::cache::storage;
use crate::bindings::wasi::filesystem::types::Descriptor;
use crate::cache::Cache;
use crate::disk::Disk;
use crate::entry::EntryState;
use crate::index_log::frame::{HEAD, Read, generation_of, read_frame};
use crate::index_log::log_file::{IndexLog, LOG, ReadLog};
use crate::index_log::record::{Record, read_records};
use crate::state::State;

/// The number of bytes that are read at a time.
const CHUNK: u32 = 1 << 20;

/// The number of records that are applied before other calls may proceed.
const SLICE: usize = 4096;

impl Cache {
    /// Adds the content of the log to the index, without verifying it. Returns `None` if there is no readable log.
    pub(crate) async fn read_log(&self, disk: &Disk) -> Option<ReadLog> {
        let mut read = self.begin_log_read(disk).await?;
        if !self.continue_log_read(&mut read).await {
            // Part of the log is lost, so the log is rewritten instead of appended to.
            (read.log.outdated, read.closed) = (true, None);
        }
        Some(read)
    }

    /// Opens the log. Returns `None` if there is no readable log.
    pub(crate) async fn begin_log_read(&self, disk: &Disk) -> Option<ReadLog> {
        let file = open_log(disk).await?;
        let log = IndexLog { file, generation: 0, frames: 0, bytes: 0, counters: Vec::new(), outdated: false };
        Some(ReadLog { log, closed: None })
    }

    /// Reads the rest of the log. Returns whether all of it is intact, so that it can be appended to.
    pub(crate) async fn continue_log_read(&self, ReadLog { log, closed }: &mut ReadLog) -> bool {
        let (mut buffer, mut start, mut ended) = (Vec::new(), 0, false);
        loop {
            let generation = (log.frames > 0).then_some(log.generation);
            match read_frame(buffer.get(start..).unwrap_or_default(), generation, log.frames) {
                Read::Frame { generation, records, length } => {
                    log.generation = generation;
                    log.outdated |= self.apply_all(records, closed, &mut log.counters).await.is_err();
                    log.frames += 1;
                    log.bytes += length as u64;
                    start += length;
                }
                Read::Incomplete if !ended => {
                    buffer.drain(..start);
                    start = 0;
                    let Ok(more) = storage::read_at(&log.file, log.bytes + buffer.len() as u64, CHUNK).await else { return false };
                    ended = more.len() < CHUNK as usize;
                    buffer.extend(more);
                }
                Read::Incomplete => return start == buffer.len() && log.frames > 0 && !log.outdated,
                Read::Damaged => return false,
            }
        }
    }

    /// Whether the current log is the one that was read.
    pub(crate) async fn is_same_log(&self, disk: &Disk, read: &ReadLog) -> bool {
        let Some(file) = open_log(disk).await else { return false };
        read.log.frames > 0 && generation_in(&file).await == Some(read.log.generation)
    }

    /// Whether the current log has this generation and ends after this number of bytes.
    pub(crate) async fn log_ends_at(&self, disk: &Disk, (generation, bytes): (u64, u64)) -> bool {
        let Some(file) = open_log(disk).await else { return false };
        generation_in(&file).await == Some(generation) && storage::read_at(&file, bytes, 1).await.is_ok_and(|more| more.is_empty())
    }

    async fn apply_all(&self, records: &[u8], closed: &mut Option<u64>, counters: &mut Vec<u64>) -> Result<(), ()> {
        for (number, record) in read_records(records).enumerate() {
            *closed = match record? {
                Record::Closed(version) => Some(version),
                Record::Counters(values) => {
                    *counters = values;
                    None
                }
                record => {
                    self.state.borrow_mut().apply(record);
                    None
                }
            };
            if number % SLICE == SLICE - 1 {
                wit_bindgen::yield_async().await;
            }
        }
        wit_bindgen::yield_async().await;
        Ok(())
    }
}

async fn open_log(disk: &Disk) -> Option<Descriptor> {
    disk.own().await.ok()?.open(LOG, false).await.ok()
}

/// The generation of the log in a file.
async fn generation_in(file: &Descriptor) -> Option<u64> {
    generation_of(&storage::read_at(file, 0, HEAD as u32).await.ok()?)
}

impl State {
    /// Applies a record to the index. Anything that happened to an entry since the start takes precedence.
    fn apply(&mut self, record: Record) {
        let Some(loading) = &mut self.loading else { return };
        match record {
            Record::Stored(entry) => match self.index.find(&entry.digest) {
                Some(slot) if self.index.get(slot).is_some_and(|known| known.state == EntryState::Unverified) => {
                    self.index.describe(slot, &entry);
                    if let Some(known) = self.index.get_mut(slot) {
                        (known.accessed_at, known.hits, known.logged) = (entry.accessed_at, entry.hits, true);
                    }
                    self.index.promote_earlier(slot);
                    self.track_on_standby(slot);
                }
                Some(_) => drop(loading.earlier_hits.insert(entry.digest, entry.hits)),
                None if loading.removed.contains_key(&entry.digest) => {}
                None => {
                    let slot = self.index.insert_earlier(entry);
                    self.track_on_standby(slot);
                }
            },
            Record::Removed(digest) => {
                let slot = self.index.find(&digest);
                if let Some(slot) =
                    slot.filter(|slot| self.index.get(*slot).is_some_and(|entry| entry.state == EntryState::Unverified))
                {
                    if let Some(entry) = self.index.get_mut(slot) {
                        // The log already records the removal.
                        entry.logged = false;
                    }
                    if self.index.remove(slot).is_some_and(|entry| entry.tracked) {
                        self.disk_tier.removed(slot.into());
                    }
                }
                loading.earlier_hits.remove(&digest);
            }
            Record::Accessed { fingerprint, at, hits } => {
                let Some(slot) = self.index.find_fingerprint(fingerprint) else { return };
                match self.index.get_mut(slot) {
                    Some(entry) if entry.state == EntryState::Unverified => {
                        (entry.accessed_at, entry.hits) = (at, hits);
                        if entry.tracked {
                            self.disk_tier.accessed(slot.into(), at);
                        }
                        self.index.promote_earlier(slot);
                    }
                    Some(entry) => drop(loading.earlier_hits.insert(entry.digest, hits)),
                    None => {}
                }
            }
            Record::Counters(_) | Record::Closed(_) => {}
        }
    }
}
