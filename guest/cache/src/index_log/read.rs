//! Reads the index log at the start.

use crate::bindings::media_cache::cache::storage;
use crate::cache::Cache;
use crate::disk::Disk;
use crate::entry::EntryState;
use crate::index_log::frame::{Read, read_frame};
use crate::index_log::log_file::{IndexLog, LOG};
use crate::index_log::record::{Record, read_records};
use crate::state::State;

/// The bytes that are read at a time.
const CHUNK: u32 = 1 << 20;

/// The number of records that are applied without letting other calls proceed.
const SLICE: usize = 4096;

/// What the log said, besides what is in the index now.
pub(crate) struct ReadLog {
    /// The log, to be appended to.
    pub log: IndexLog,
    /// If the directory was closed cleanly, its version then.
    pub closed: Option<u64>,
}

impl Cache {
    /// Puts into the index what the log says. Nothing of it is verified. `None` if there is no log that can be read.
    pub(crate) async fn read_log(&self, disk: &Disk) -> Option<ReadLog> {
        let file = disk.own().await.ok()?.open(LOG, false).await.ok()?;
        let mut log = IndexLog { file, generation: 0, frames: 0, bytes: 0, counters: Vec::new(), outdated: false };
        let mut closed = None;
        let (mut buffer, mut start, mut ended) = (Vec::new(), 0, false);
        loop {
            let generation = (log.frames > 0).then_some(log.generation);
            match read_frame(buffer.get(start..).unwrap_or_default(), generation, log.frames) {
                Read::Frame { generation, records, length } => {
                    log.generation = generation;
                    log.outdated |= self.apply_all(records, &mut closed, &mut log.counters).await.is_err();
                    log.frames += 1;
                    log.bytes += length as u64;
                    start += length;
                }
                Read::Incomplete if !ended => {
                    buffer.drain(..start);
                    start = 0;
                    let Ok(more) = storage::read_at(&log.file, log.bytes + buffer.len() as u64, CHUNK).await else {
                        (log.outdated, closed) = (true, None);
                        break;
                    };
                    ended = more.len() < CHUNK as usize;
                    buffer.extend(more);
                }
                Read::Incomplete if start == buffer.len() && log.frames > 0 => break,
                Read::Incomplete | Read::Damaged => {
                    // Something was lost, so it is written anew rather than appended to.
                    (log.outdated, closed) = (true, None);
                    break;
                }
            }
        }
        let closed = closed.filter(|_| !log.outdated);
        Some(ReadLog { log, closed })
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

impl State {
    /// Puts into the index what a record says. What happened to an entry since the start stands.
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
                }
                Some(_) => drop(loading.earlier_hits.insert(entry.digest, entry.hits)),
                None if loading.removed.contains_key(&entry.digest) => {}
                None => drop(self.index.insert_earlier(entry)),
            },
            Record::Removed(digest) => {
                let slot = self.index.find(&digest);
                if let Some(slot) =
                    slot.filter(|slot| self.index.get(*slot).is_some_and(|entry| entry.state == EntryState::Unverified))
                {
                    if let Some(entry) = self.index.get_mut(slot) {
                        // The log knows.
                        entry.logged = false;
                    }
                    self.index.remove(slot);
                }
                loading.earlier_hits.remove(&digest);
            }
            Record::Accessed { fingerprint, at, hits } => {
                let Some(slot) = self.index.find_fingerprint(fingerprint) else { return };
                match self.index.get_mut(slot) {
                    Some(entry) if entry.state == EntryState::Unverified => {
                        (entry.accessed_at, entry.hits) = (at, hits);
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
