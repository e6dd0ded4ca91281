//! The records of the index log, as bytes. Numbers are little-endian.

use media_cache_entry_files::KeyDigest;

use crate::bindings::media_cache::policy::eviction::MediaKind;
use crate::entry::{Entry, EntryState};

const STORED: u8 = 1;
const REMOVED: u8 = 2;
const ACCESSED: u8 = 3;
const COUNTERS: u8 = 4;
const CLOSED: u8 = 5;

/// A record of the log.
#[derive(Clone, Debug)]
pub enum Record {
    /// An entry is stored, as described by its sidecar at that time, and is the most recently used.
    Stored(Entry),
    /// An entry is no longer stored.
    Removed(KeyDigest),
    /// An entry is the most recently used.
    Accessed {
        /// Its fingerprint.
        fingerprint: u64,
        /// When it was requested.
        at: u64,
        /// The number of requests for it since it was stored, including this one.
        hits: u32,
    },
    /// The counters.
    Counters(Vec<u64>),
    /// The directory was closed with this version (see `Disk::version`). No record follows.
    Closed(u64),
}

/// Appends an entry, as its sidecar describes it.
pub fn put_stored(out: &mut Vec<u8>, entry: &Entry) {
    out.push(STORED);
    out.extend(entry.digest.as_bytes());
    out.extend(entry.size.to_le_bytes());
    out.extend(entry.accessed_at.to_le_bytes());
    out.extend(entry.sidecar_modified.to_le_bytes());
    out.extend(entry.sidecar_size.to_le_bytes());
    out.extend(entry.hits.to_le_bytes());
    out.extend(entry.cost.to_le_bytes());
    out.push(kind_number(entry.kind));
}

/// Appends a removal.
pub fn put_removed(out: &mut Vec<u8>, digest: &KeyDigest) {
    out.push(REMOVED);
    out.extend(digest.as_bytes());
}

/// Appends the last request for an entry.
pub fn put_accessed(out: &mut Vec<u8>, entry: &Entry) {
    out.push(ACCESSED);
    out.extend(entry.digest.fingerprint().to_le_bytes());
    out.extend(entry.accessed_at.to_le_bytes());
    out.extend(entry.hits.to_le_bytes());
}

/// Appends the counters.
pub fn put_counters(out: &mut Vec<u8>, values: &[u64]) {
    out.push(COUNTERS);
    let count = u8::try_from(values.len()).unwrap_or(u8::MAX);
    out.push(count);
    values.iter().take(count.into()).for_each(|value| out.extend(value.to_le_bytes()));
}

/// Appends the record that ends the log.
pub fn put_closed(out: &mut Vec<u8>, version: u64) {
    out.push(CLOSED);
    out.extend(version.to_le_bytes());
}

/// Reads records until the end, or until something that is not a record, which yields an error.
pub fn read_records(mut bytes: &[u8]) -> impl Iterator<Item = Result<Record, ()>> + '_ {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let record = read_record(&mut bytes);
        if record.is_none() {
            bytes = &[];
        }
        Some(record.ok_or(()))
    })
}

fn read_record(bytes: &mut &[u8]) -> Option<Record> {
    let [tag] = take(bytes)?;
    Some(match tag {
        STORED => {
            let mut entry = Entry::unverified(KeyDigest::from_bytes(take(bytes)?));
            entry.size = number(bytes)?;
            entry.accessed_at = number(bytes)?;
            entry.sidecar_modified = number(bytes)?;
            entry.sidecar_size = u32::from_le_bytes(take(bytes)?);
            entry.hits = u32::from_le_bytes(take(bytes)?);
            entry.cost = u32::from_le_bytes(take(bytes)?);
            let [kind] = take(bytes)?;
            (entry.kind, entry.state, entry.logged) = (kind_of(kind)?, EntryState::Unverified, true);
            Record::Stored(entry)
        }
        REMOVED => Record::Removed(KeyDigest::from_bytes(take(bytes)?)),
        ACCESSED => Record::Accessed { fingerprint: number(bytes)?, at: number(bytes)?, hits: u32::from_le_bytes(take(bytes)?) },
        COUNTERS => {
            let [count] = take(bytes)?;
            Record::Counters((0..count).map(|_| number(bytes)).collect::<Option<_>>()?)
        }
        CLOSED => Record::Closed(number(bytes)?),
        _ => return None,
    })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    take(bytes).map(u64::from_le_bytes)
}

const KINDS: [MediaKind; 5] = [MediaKind::Image, MediaKind::Animation, MediaKind::Video, MediaKind::Audio, MediaKind::Other];

fn kind_number(kind: MediaKind) -> u8 {
    KINDS.iter().position(|other| *other == kind).unwrap_or(0) as u8
}

fn kind_of(number: u8) -> Option<MediaKind> {
    KINDS.get(usize::from(number)).copied()
}
