//! Several observers of the requests to a cache.

use std::sync::Arc;

use media_cache::policy::{ObservedRequest, RequestObserver};

/// Passes requests to several observers.
struct Observers(Vec<Arc<dyn RequestObserver>>);

impl RequestObserver for Observers {
    fn observe(&self, capacity: u64, entries: u64, requests: &[ObservedRequest]) {
        for observer in &self.0 {
            observer.observe(capacity, entries, requests);
        }
    }
}

/// An observer that passes requests to these observers, if there are any.
pub fn combined(observers: impl IntoIterator<Item = Arc<dyn RequestObserver>>) -> Option<Arc<dyn RequestObserver>> {
    let mut observers: Vec<_> = observers.into_iter().collect();
    match observers.len() {
        0 | 1 => observers.pop(),
        _ => Some(Arc::new(Observers(observers))),
    }
}
