//! Lists in the store what this node has used, so that trimming keeps what any node still uses.
//!
//! Each list is an object for one node and one hour: a line with the fingerprint of each used entry, which is the first 16 hexadecimal
//! digits of its digest.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use media_cache::policy::{ObservedKind, ObservedRequest, RequestObserver};
use tokio::time::sleep;

use crate::failure::StoreFailure;
use crate::store::When;
use crate::tier::Shared;

/// The number of entries in a list. If more are used within an hour, only these are listed.
const MAX_LISTED: usize = 1 << 20;

/// The number of lists that are kept while the store cannot be used; older ones are discarded.
const MAX_LISTS: usize = 3;

/// How often to check whether an hour is over, or a list still has to be written.
const INTERVAL: Duration = Duration::from_secs(60);

/// The entries that were used, by hour since 1970, until they are listed in the store.
#[derive(Default)]
pub(crate) struct Usage(Mutex<BTreeMap<u64, HashSet<u64>>>);

impl Usage {
    /// Writes the list of each hour after the hour is over.
    pub async fn keep_listing(&self, tier: &Shared) {
        loop {
            sleep(INTERVAL).await;
            let now = hour(SystemTime::now());
            self.list(tier, |hour| hour < now).await;
        }
    }

    /// Writes all lists.
    pub async fn list_all(&self, tier: &Shared) {
        self.list(tier, |_| true).await;
    }

    /// Writes the lists of these hours. What cannot be written is kept for the next time.
    async fn list(&self, tier: &Shared, is_due: impl Fn(u64) -> bool) {
        let due: Vec<u64> = self.lock().keys().copied().filter(|hour| is_due(*hour)).collect();
        for hour in due {
            let list = self.lock().get(&hour).map(lines).unwrap_or_default();
            if let Err(failure) = write(tier, hour, list).await {
                tracing::debug!("cannot list what was used in the second tier: {failure}");
                return;
            }
            self.lock().remove(&hour);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, HashSet<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write(tier: &Shared, hour: u64, list: Bytes) -> Result<(), StoreFailure> {
    let permit = tier.store.writes.permit()?;
    let path = tier.store.names.usage(&tier.options.node, hour);
    permit.report(tier.store.write(&path, list, When::Always).await).map(drop)
}

/// The content of a list.
fn lines(used: &HashSet<u64>) -> Bytes {
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
    let parse = |line: &[u8]| u64::from_str_radix(std::str::from_utf8(line).ok().filter(|line| line.len() == 16)?, 16).ok();
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
