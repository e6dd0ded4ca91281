//! Hits that were served without the component, until it counts them.
//!
//! The buffer is flushed after a twentieth of a second, before the next request, and before the decision that follows a download,
//! whichever comes first. So the order of use and the counters are exact.
//!
//! A handle means nothing to another instance of the component. So what is still here when another instance begins to serve, and what
//! comes with a handle of an instance before, is delivered by URL.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};

use crate::media::Source;
use crate::offers::Offers;
use crate::request::Request;
use crate::resident_index::{ResidentHandle, ResidentIndex};

/// For how long a hit stays untold at most, while nothing else happens.
const MAX_DELAY: Duration = Duration::from_millis(50);

/// The most hits that are kept for a component that takes none.
const MAX_HITS: usize = 1 << 20;

/// A handle that is no entry's: a hit with it is counted, and changes no order.
const NO_ENTRY: u64 = u64::MAX;

/// Hits that the component was not told of yet.
pub(crate) struct HitBuffer {
    hits: Mutex<Hits>,
    added: Notify,
    driver: mpsc::WeakSender<Request>,
    offers: Offers,
}

#[derive(Default)]
struct Hits {
    /// The instance that serves.
    instance: u64,
    /// Handles of its entries and where their bytes were, oldest hit first.
    handles: Vec<(u64, Source)>,
    /// Hits on what earlier instances held, by URL.
    earlier: HashMap<Box<str>, EarlierHits>,
}

/// How often an entry was hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EarlierHits {
    pub hits: u32,
    /// Of these, hits on its open file.
    pub disk_hits: u32,
}

impl EarlierHits {
    /// Hits on an entry whose bytes were there.
    pub fn new(hits: u32, source: Source) -> Self {
        Self { hits, disk_hits: if source == Source::Disk { hits } else { 0 } }
    }
}

impl HitBuffer {
    pub fn new(driver: mpsc::WeakSender<Request>) -> Self {
        Self { hits: Mutex::default(), added: Notify::new(), driver, offers: Offers::default() }
    }

    /// Notes a hit on the entry of `url`. If the component has taken none for very long, it is not noted.
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
            tracing::warn!("the cache component has taken no hits for so long that further ones are not counted");
        }
        if handles.len() == 1 {
            self.added.notify_one();
        }
    }

    /// Notes hits that an earlier instance has served, on the entry of `url`.
    pub fn add_earlier(&self, url: &str, hits: EarlierHits) {
        self.lock().add_earlier(url, hits);
    }

    /// Has the component offer the entry of `url` to its memory tier, if it can take requests now and no other entry is being offered:
    /// each is read into memory first.
    pub fn offer(&self, url: &str, handle: ResidentHandle) {
        if let (Some(driver), Some(turn)) = (self.driver.upgrade(), self.offers.next()) {
            // If not, the entry is offered again after as many hits.
            let _ = driver.try_send(Request::Promote { url: url.into(), handle, turn });
        }
    }

    /// Takes the hits, the oldest first: handles, and where the bytes were.
    pub fn take(&self) -> Vec<(u64, Source)> {
        std::mem::take(&mut self.lock().handles)
    }

    /// Takes the hits on what earlier instances held, by URL.
    pub fn take_earlier(&self) -> HashMap<Box<str>, EarlierHits> {
        std::mem::take(&mut self.lock().earlier)
    }

    /// Another instance serves from now on. What is resident in the one before is not served any more; the hits on it still count.
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

    /// Has the component told of all hits so far. Comes back at once where there are none, or no component any more.
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

    /// Tells the component of hits for as long as it is there.
    pub async fn keep_flushing(self: Arc<Self>) {
        while self.driver.strong_count() > 0 {
            // A hit that comes while nobody listens leaves a permit behind, so none is missed.
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
        assert_eq!(hits.take(), [(NO_ENTRY, Source::Memory)], "a hit counts even if nobody knows what it was for");
        let (a, b) = (EarlierHits { hits: 2, disk_hits: 1 }, EarlierHits { hits: 1, disk_hits: 0 });
        assert_eq!(hits.take_earlier(), [("a".into(), a), ("b".into(), b)].into());
        assert!(hits.take_earlier().is_empty());
    }
}
