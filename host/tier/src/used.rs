//! What this node has used, and the lists of it: a line with the fingerprint of each used entry, which is the first 16 hexadecimal
//! digits of its digest.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use media_cache::policy::{ObservedKind, ObservedRequest, RequestObserver};

/// The number of entries in a list. If more are used within an hour, only these are listed.
const MAX_LISTED: usize = 1 << 20;

/// The number of lists that are kept while the store cannot be used; older ones are discarded.
const MAX_LISTS: usize = 3;

/// The entries that were used, by hour since 1970, until they are listed in the store.
#[derive(Default)]
pub(crate) struct Usage(Mutex<BTreeMap<u64, HashSet<u64>>>);

impl Usage {
    /// The entries that are not listed yet.
    pub fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, HashSet<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The content of a list.
pub(crate) fn lines(used: &HashSet<u64>) -> Bytes {
    let mut sorted: Vec<u64> = used.iter().copied().collect();
    sorted.sort_unstable();
    let mut text = String::with_capacity(sorted.len() * 17);
    for fingerprint in sorted {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{fingerprint:016x}");
    }
    text.into()
}

/// The fingerprints in a list. Other lines are skipped.
pub(crate) fn fingerprints(list: &[u8]) -> impl Iterator<Item = u64> {
    let parse = |line: &[u8]| {
        u64::from_str_radix(
            std::str::from_utf8(line)
                .ok()
                .filter(|line| line.len() == 16 && line.bytes().all(|digit| digit.is_ascii_hexdigit()))?,
            16,
        )
        .ok()
    };
    list.split(|byte| *byte == b'\n').filter_map(parse)
}

/// The number of hours since 1970.
pub(crate) fn hour(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() / 3600)
}

impl RequestObserver for Usage {
    fn observe(&self, _capacity: u64, _entries: u64, requests: &[ObservedRequest]) {
        // Hits are observed late, and the list of the hour in which they happened may have been written already.
        let now = hour(SystemTime::now());
        let mut used = self.lock();
        // A node that restarts has not used what it finds in its directory.
        for request in requests.iter().filter(|request| request.kind != ObservedKind::Restored) {
            let hour = used.entry(now).or_default();
            if hour.len() < MAX_LISTED {
                hour.insert(request.fingerprint);
            }
        }
        while used.len() > MAX_LISTS {
            used.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_has_a_line_for_each_fingerprint() {
        let used = HashSet::from([1, u64::MAX, 0xabc]);
        let list = lines(&used);
        assert_eq!(&list[..], b"0000000000000001\n0000000000000abc\nffffffffffffffff\n");
        assert_eq!(fingerprints(&list).collect::<HashSet<_>>(), used);
        assert_eq!(fingerprints(b"\n12\nnot hexadecimal!\n+000000000000001\n0000000000000002").collect::<Vec<_>>(), [2]);
    }
}
