//! Buffers hits that were served without calling the component, until the component counts them.
//!
//! The buffer is flushed after 50 ms, before the next request, and before the decision that follows a download, whichever comes first. So
//! the order of use and the counters are exact.
//!
//! A handle is only valid for one instance of the component. Hits that are still buffered when another instance begins to serve, and hits
//! with a handle from an earlier instance, are therefore delivered by URL.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};

use crate::media::Source;
use crate::offers::Offers;
use crate::request::Request;
use crate::resident_index::{ResidentHandle, ResidentIndex};

/// The longest time that a hit remains in the buffer if nothing else happens.
const MAX_DELAY: Duration = Duration::from_millis(50);

/// The maximum number of hits that are buffered if the component does not collect them.
const MAX_HITS: usize = 1 << 20;

/// A handle that belongs to no entry. Hits with it are counted, but do not change the order of use.
const NO_ENTRY: u64 = u64::MAX;

/// Hits that have not been reported to the component yet.
pub(crate) struct HitBuffer {
    hits: Mutex<Hits>,
    added: Notify,
    driver: mpsc::WeakSender<Request>,
    offers: Offers,
}

#[derive(Default)]
struct Hits {
    /// The instance that serves requests.
    instance: u64,
    /// The hits, oldest first: the handle of the entry, and where its bytes were.
    handles: Vec<(u64, Source)>,
    /// Hits on entries that earlier instances held, by URL.
    earlier: HashMap<Box<str>, EarlierHits>,
}

/// The number of hits on an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EarlierHits {
    pub hits: u32,
    /// How many of these were served from its open file.
    pub disk_hits: u32,
}

impl EarlierHits {
    /// Hits on an entry whose bytes were at `source`.
    pub fn new(hits: u32, source: Source) -> Self {
        Self { hits, disk_hits: if source == Source::Disk { hits } else { 0 } }
    }
}

impl HitBuffer {
    pub fn new(driver: mpsc::WeakSender<Request>) -> Self {
        Self { hits: Mutex::default(), added: Notify::new(), driver, offers: Offers::default() }
    }

    /// Records a hit on the entry of `url`. If the component has not collected any hits for a very long time, this hit is dropped.
    pub fn add(&self, url: &str, ResidentHandle { instance, handle }: ResidentHandle, source: Source) {
        let mut hits = self.lock();
        if hits.instance != instance {
            return hits.add_earlier(url, EarlierHits::new(1, source));
        }
        let handles = &mut hits.handles;
        if handles.len() == MAX_HITS {
            return;
        }
        handles.push((handle, source));
        if handles.len() == MAX_HITS {
            tracing::warn!(
                "the hit buffer is full, because the cache component has not collected any hits for a long time; dropping further hits"
            );
        }
        if handles.len() == 1 {
            self.added.notify_one();
        }
    }

    /// Records hits on the entry of `url` that an earlier instance served.
    pub fn add_earlier(&self, url: &str, hits: EarlierHits) {
        self.lock().add_earlier(url, hits);
    }

    /// Makes the component offer the entry of `url` to its memory tier. Does nothing if the request queue is full, or if another entry is
    /// being offered, since each entry is read into memory first.
    pub fn offer(&self, url: &str, handle: ResidentHandle) {
        if let (Some(driver), Some(turn)) = (self.driver.upgrade(), self.offers.next()) {
            // If this fails, the entry is offered again after the same number of hits.
            let _ = driver.try_send(Request::Promote { url: url.into(), handle, turn });
        }
    }

    /// Takes the hits, oldest first: the handles, and where the bytes were.
    pub fn take(&self) -> Vec<(u64, Source)> {
        std::mem::take(&mut self.lock().handles)
    }

    /// Takes the hits on entries that earlier instances held, by URL.
    pub fn take_earlier(&self) -> HashMap<Box<str>, EarlierHits> {
        std::mem::take(&mut self.lock().earlier)
    }

    /// Switches to another instance, which serves from now on. Entries that are resident in the previous instance are no longer served, but
    /// hits on them still count.
    pub fn begin_instance(&self, instance: u64, residents: Option<&ResidentIndex>) {
        let mut hits = self.lock();
        hits.instance = instance;
        let urls = residents.map(|residents| residents.begin_instance(instance)).unwrap_or_default();
        for (handle, source) in std::mem::take(&mut hits.handles) {
            match urls.get(&handle) {
                Some(url) => hits.add_earlier(url, EarlierHits::new(1, source)),
                None => hits.handles.push((NO_ENTRY, source)),
            }
        }
    }

    /// Reports all hits so far to the component. Returns immediately if there are none, or if the driver has ended.
    pub async fn flush(&self) {
        if self.lock().handles.is_empty() {
            return;
        }
        let Some(driver) = self.driver.upgrade() else { return };
        let (told, done) = oneshot::channel();
        if driver.send(Request::FlushHits(told)).await.is_ok() {
            drop(driver);
            let _ = done.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Hits> {
        self.hits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps reporting hits to the component until the driver ends.
    pub async fn keep_flushing(self: Arc<Self>) {
        while self.driver.strong_count() > 0 {
            // A hit that arrives while nothing is waiting leaves a permit behind, so no hit is missed.
            let _ = tokio::time::timeout(Duration::from_secs(1), self.added.notified()).await;
            tokio::time::sleep(MAX_DELAY).await;
            self.flush().await;
        }
    }
}

impl Hits {
    fn add_earlier(&mut self, url: &str, more: EarlierHits) {
        if let Some(EarlierHits { hits, disk_hits }) = self.earlier.get_mut(url) {
            (*hits, *disk_hits) = (hits.saturating_add(more.hits), disk_hits.saturating_add(more.disk_hits));
        } else if self.earlier.len() < MAX_HITS {
            self.earlier.insert(url.into(), more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::resident_index::tests::delivered;

    const fn of(instance: u64, handle: u64) -> ResidentHandle {
        ResidentHandle { instance, handle }
    }

    #[tokio::test]
    async fn hits_are_taken_in_order_and_flush_does_not_wait_for_a_stopped_component() {
        let (sender, receiver) = mpsc::channel(1);
        let hits = HitBuffer::new(sender.downgrade());
        hits.add("a", of(0, 9), Source::Memory);
        hits.begin_instance(1, None);
        hits.add("b", of(1, 3), Source::Disk);
        hits.add("a", of(1, 1), Source::Memory);
        drop(receiver);
        hits.flush().await;
        drop(sender);
        hits.flush().await;
        assert_eq!(hits.take(), [(NO_ENTRY, Source::Memory), (3, Source::Disk), (1, Source::Memory)]);
        assert!(hits.take().is_empty());
    }

    #[test]
    fn hits_on_residents_of_an_earlier_instance_are_delivered_by_url() {
        let (sender, _receiver) = mpsc::channel(1);
        let (hits, residents) = (HitBuffer::new(sender.downgrade()), ResidentIndex::new(std::path::Path::new(".")));
        let (_blob, answer) = delivered(0, Some(9));
        residents.insert("a", &answer);
        hits.add("a", of(0, 9), Source::Memory);
        hits.add("gone", of(0, 8), Source::Memory);
        hits.begin_instance(1, Some(&residents));
        assert!(residents.get("a").is_none(), "the earlier instance no longer decides what is served");
        hits.add("a", of(0, 9), Source::Disk);
        hits.add("b", of(0, 7), Source::Memory);
        assert_eq!(hits.take(), [(NO_ENTRY, Source::Memory)], "a hit counts even if its entry is unknown");
        let (a, b) = (EarlierHits { hits: 2, disk_hits: 1 }, EarlierHits { hits: 1, disk_hits: 0 });
        assert_eq!(hits.take_earlier(), [("a".into(), a), ("b".into(), b)].into());
        assert!(hits.take_earlier().is_empty());
    }
}
