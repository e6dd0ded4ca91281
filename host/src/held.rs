//! Hits without a call: what the component holds, seen from outside.
//!
//! For each key of a URL that was answered there is a weak reference to the blob that the component keeps at hand. While the component holds
//! it, any thread can serve it; when the component lets go (evicted, removed, replaced) the reference is dead, so nothing here can be
//! stale. A hit that was served this way is noted, and the component is told of it: after a twentieth of a second, before the next
//! request, and before the decision that follows a download, whichever comes first. So the order and the counters stay right.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, mpsc, oneshot};

use crate::blob::Blob;
use crate::driver::Request;
use crate::media::{Delivered, Media, Source};

/// For how long a hit stays untold at most, while nothing else happens.
const UNTOLD: Duration = Duration::from_millis(50);

/// What the component holds, by the key of its URL: so there are as many as it holds, and not as many as there are ways to sign a URL.
#[derive(Default)]
pub(crate) struct HeldBlobs(RwLock<Shelf>);

#[derive(Default)]
struct Shelf {
    held: HashMap<Box<str>, Held>,
    /// How many there were after the dead ones were last swept out.
    swept: usize,
}

struct Held {
    blob: Weak<Blob>,
    mimetype: Arc<str>,
    filename: Arc<str>,
    stored_at: SystemTime,
    ticket: u64,
}

impl HeldBlobs {
    /// What is held under `key`, and its ticket.
    pub fn get(&self, key: &str) -> Option<(Media, u64)> {
        let shelf = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let held = shelf.held.get(key)?;
        let blob = held.blob.upgrade()?;
        let media = Media {
            mimetype: held.mimetype.clone(),
            filename: held.filename.clone(),
            body: Blob::clone(&blob),
            source: Source::Memory,
            stored_at: held.stored_at,
        };
        Some((media, held.ticket))
    }

    /// Notes what the component answered, if it holds it.
    pub fn note(&self, key: &str, delivered: &Delivered) {
        let Some(ticket) = delivered.ticket.filter(|_| delivered.held.strong_count() > 0) else { return };
        let mut shelf = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if shelf.held.len() >= 2 * shelf.swept + 64 {
            shelf.held.retain(|_, held| held.blob.strong_count() > 0);
            shelf.swept = shelf.held.len();
        }
        let media = &delivered.media;
        let held = Held {
            blob: delivered.held.clone(),
            mimetype: media.mimetype.clone(),
            filename: media.filename.clone(),
            stored_at: media.stored_at,
            ticket,
        };
        shelf.held.insert(key.into(), held);
    }

    /// How many keys are known, dead ones included.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).held.len()
    }
}

/// Hits that the component was not told of yet.
pub(crate) struct PendingHits {
    tickets: Mutex<Vec<u64>>,
    noted: Notify,
    driver: mpsc::WeakSender<Request>,
}

impl PendingHits {
    pub fn new(driver: mpsc::WeakSender<Request>) -> Self {
        Self { tickets: Mutex::default(), noted: Notify::new(), driver }
    }

    /// Notes a hit.
    pub fn note(&self, ticket: u64) {
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.push(ticket);
        if tickets.len() == 1 {
            self.noted.notify_one();
        }
    }

    /// Takes the hits, the oldest first.
    pub fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.tickets.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has the component told of all hits so far. Comes back at once where there are none, or no component any more.
    pub async fn tell(&self) {
        if self.tickets.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return;
        }
        let Some(driver) = self.driver.upgrade() else { return };
        let (told, done) = oneshot::channel();
        if driver.send(Request::TellHits(told)).await.is_ok() {
            drop(driver);
            let _ = done.await;
        }
    }

    /// Tells the component of hits for as long as it is there.
    pub async fn keep_telling(self: Arc<Self>) {
        while self.driver.strong_count() > 0 {
            // A hit that comes while nobody listens leaves a permit behind, so none is missed.
            let _ = tokio::time::timeout(Duration::from_secs(1), self.noted.notified()).await;
            tokio::time::sleep(UNTOLD).await;
            self.tell().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(ticket: Option<u64>) -> (Arc<Blob>, Delivered) {
        let blob = Arc::new(Blob::from("bytes"));
        let media = Media {
            mimetype: "image/png".into(),
            filename: "a.png".into(),
            body: Blob::clone(&blob),
            source: Source::Origin,
            stored_at: SystemTime::UNIX_EPOCH,
        };
        let held = Arc::downgrade(&blob);
        (blob, Delivered { media, ticket, held })
    }

    #[test]
    fn a_blob_is_served_while_it_is_held_and_not_a_moment_longer() {
        let held = HeldBlobs::default();
        let (blob, answer) = delivered(Some(7));
        held.note("u", &answer);
        let (media, ticket) = held.get("u").unwrap();
        assert_eq!((ticket, media.source, media.body.len()), (7, Source::Memory, 5));
        drop(blob);
        assert!(held.get("u").is_none(), "although {media:?} still has the bytes");
        assert!(held.get("v").is_none());
    }

    #[test]
    fn what_is_not_held_is_not_noted() {
        let held = HeldBlobs::default();
        held.note("u", &delivered(None).1);
        let (blob, answer) = delivered(Some(1));
        drop(blob);
        held.note("v", &answer);
        assert_eq!(held.len(), 0);
    }

    #[test]
    fn dead_references_do_not_pile_up() {
        let held = HeldBlobs::default();
        let alive: Vec<_> = (0..10).map(|i| (i, delivered(Some(i)))).collect();
        for (i, (_, answer)) in &alive {
            held.note(&format!("alive {i}"), answer);
        }
        for i in 0..10_000 {
            let (_blob, answer) = delivered(Some(i));
            held.note(&format!("dead {i}"), &answer);
        }
        assert!(held.len() < 200, "{}", held.len());
        assert!((0..10).all(|i| held.get(&format!("alive {i}")).is_some()));
    }

    #[tokio::test]
    async fn hits_are_taken_in_order_and_nobody_waits_for_a_component_that_is_gone() {
        let (sender, receiver) = mpsc::channel(1);
        let hits = PendingHits::new(sender.downgrade());
        hits.note(3);
        hits.note(1);
        drop(receiver);
        hits.tell().await;
        drop(sender);
        hits.tell().await;
        assert_eq!(hits.take(), [3, 1]);
        assert!(hits.take().is_empty());
    }
}
