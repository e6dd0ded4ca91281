//! Tracks which entries an instance of the component is fetching. If another instance takes over meanwhile, requests for these entries wait
//! until they have been handed over, so that nothing is fetched twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Requests in progress, by cache key.
#[derive(Default)]
pub(crate) struct Fetching(Mutex<HashMap<String, InProgress>>);

/// The requests for an entry.
#[derive(Default)]
struct InProgress {
    requests: usize,
    /// Dropped when the last of these requests ends.
    waiting: Vec<oneshot::Sender<()>>,
}

/// A request in progress, until this is dropped.
pub(crate) struct Fetch {
    fetching: Arc<Fetching>,
    key: String,
}

impl Fetching {
    /// Begins a request for an entry.
    pub fn begin(self: &Arc<Self>, key: String) -> Fetch {
        self.lock().entry(key.clone()).or_default().requests += 1;
        Fetch { fetching: self.clone(), key }
    }

    /// Whether there are requests for this entry in progress.
    pub fn has(&self, key: &str) -> bool {
        self.lock().contains_key(key)
    }

    /// If there are requests for this entry in progress, returns a receiver that completes when the last of them ends.
    pub fn end_of(&self, key: &str) -> Option<oneshot::Receiver<()>> {
        let (over, end) = oneshot::channel();
        self.lock().get_mut(key)?.waiting.push(over);
        Some(end)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, InProgress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        let mut fetching = self.fetching.lock();
        if let Some(in_progress) = fetching.get_mut(&self.key) {
            in_progress.requests -= 1;
            if in_progress.requests == 0 {
                fetching.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn fetch_of_an_entry_ends_with_its_last_request() {
        let fetching = Arc::<Fetching>::default();
        assert!(fetching.end_of("a").is_none());
        let (first, second) = (fetching.begin("a".into()), fetching.begin("a".into()));
        assert!(fetching.has("a") && !fetching.has("b"));
        let mut end = fetching.end_of("a").unwrap();
        drop(first);
        assert!((&mut end).now_or_never().is_none());
        drop(second);
        assert!(end.now_or_never().is_some() && fetching.end_of("a").is_none());
    }
}
