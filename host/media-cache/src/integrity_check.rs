//! Checks all entries in the background, to find damaged media before it is requested. The component checks each entry, and removes it if
//! it is damaged. Entries that cannot be read are only reported.
//!
//! The rate is an average: an entry is read at full speed, and then the check pauses in proportion to the entry's size.

use std::num::NonZeroU64;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::cache::{CacheError, MediaCache, Shared};
use crate::integrity::IntegrityReport;
use crate::media::Verified;
use crate::request::Request;

/// The shortest time between the starts of two checks of all entries.
const INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// The number of entries that are listed at a time.
const PAGE: u32 = 64;

/// The cost of an entry besides its bytes: two files are opened and read.
const BYTES_PER_ENTRY: u64 = 8192;

/// The longest pause after one entry. Without this limit, nothing might be checked for days after an entry of several gigabytes.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// How long to wait before trying again if the cache cannot be called.
const RETRY: Duration = Duration::from_secs(10);

impl MediaCache {
    /// The results of the background check since the cache was opened.
    #[must_use]
    pub fn integrity(&self) -> IntegrityReport {
        self.0.integrity.report()
    }
}

/// Checks all entries repeatedly, as long as the cache is open. `rate` is in bytes per second.
pub(crate) async fn keep_checking(cache: Weak<Shared>, rate: NonZeroU64) {
    loop {
        let began = Instant::now();
        match check_all(&cache, rate).await {
            Ok(()) => {}
            Err(CacheError::Closed) => return,
            Err(error) => {
                tracing::debug!("the background integrity check was interrupted: {error}");
                sleep(RETRY).await;
                continue;
            }
        }
        sleep_until(began + INTERVAL).await;
    }
}

/// Checks all entries once.
async fn check_all(cache: &Weak<Shared>, rate: NonZeroU64) -> Result<(), CacheError> {
    loop {
        // The check must not keep the cache open while it waits.
        let loaded = open(cache)?.0.loaded.clone();
        if loaded.report().is_some() {
            break;
        }
        sleep(RETRY.min(Duration::from_secs(1))).await;
    }
    // Entries that are used during the check are listed again, so the end of the list may never be reached.
    let mut left = open(cache)?.status().await?.cache.entries;
    let mut after = None;
    loop {
        let page = match open(cache)?.entries(after, PAGE).await {
            Err(CacheError::Closed) => return Err(CacheError::Closed),
            Err(error) => {
                tracing::debug!("the background integrity check was interrupted: {error}");
                sleep(RETRY).await;
                continue;
            }
            page => page?,
        };
        left = left.saturating_sub(page.entries.len() as u64);
        for entry in page.entries {
            let pause = {
                let cache = open(cache)?;
                let verified = cache.call(|reply| Request::Verify { url: entry.url.clone(), reply }).await?;
                if matches!(verified, Verified::Damaged) {
                    tracing::warn!(
                        "the media of an entry is damaged; the entry was removed and will be fetched again on the next request"
                    );
                }
                cache.0.integrity.count(&verified);
                let bytes = if matches!(verified, Verified::Absent | Verified::InUse) { 0 } else { entry.size };
                pause(bytes + BYTES_PER_ENTRY, rate)
            };
            sleep(pause).await;
        }
        after = page.next;
        if after.is_none() || left == 0 {
            open(cache)?.0.integrity.complete_pass();
            return Ok(());
        }
    }
}

fn open(cache: &Weak<Shared>) -> Result<MediaCache, CacheError> {
    cache.upgrade().map(MediaCache).filter(|cache| !cache.is_closed()).ok_or(CacheError::Closed)
}

/// How long this many bytes take at a rate.
fn pause(bytes: u64, rate: NonZeroU64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / rate.get() as f64).min(LONGEST_PAUSE)
}

/// Starts the check.
pub(crate) fn start(cache: &MediaCache, rate: NonZeroU64) {
    tokio::spawn(keep_checking(Arc::downgrade(&cache.0), rate));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_is_proportional_to_the_size_and_at_most_an_hour() {
        let rate = NonZeroU64::new(1000).unwrap();
        assert_eq!(pause(500, rate), Duration::from_millis(500));
        assert_eq!(pause(u64::MAX, rate), LONGEST_PAUSE);
    }
}
