//! Hits that an instance serves after its index log was completed, because the instance is being replaced. Its successor learns of earlier
//! hits from the log. These late hits are reported to it by URL instead.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Hits that are missing from the index log, by URL; `None` while the log is still being written.
#[derive(Default)]
pub(crate) struct LateHits(Mutex<Option<HashMap<String, u32>>>);

impl LateHits {
    /// Begins to record hits: from now on, nothing is written to the index log.
    pub fn begin(&self) {
        *self.lock() = Some(HashMap::new());
    }

    /// Stops recording hits, since the instance is active again and writes all hits to the log itself.
    pub fn end(&self) {
        *self.lock() = None;
    }

    /// Returns the URL if a hit on it comes too late for the index log.
    pub fn url_of_late(&self, url: &str) -> Option<String> {
        self.lock().is_some().then(|| url.into())
    }

    /// Records a hit.
    pub fn add(&self, url: String) {
        if let Some(hits) = &mut *self.lock() {
            let hits = hits.entry(url).or_default();
            *hits = hits.saturating_add(1);
        }
    }

    /// Takes the hits so far.
    pub fn take(&self) -> HashMap<String, u32> {
        self.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<String, u32>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hits_during_a_handover_are_recorded() {
        let hits = LateHits::default();
        assert_eq!(hits.url_of_late("a"), None);
        hits.add("a".into());
        hits.begin();
        assert_eq!(hits.url_of_late("a").as_deref(), Some("a"));
        ["a", "b", "a"].into_iter().for_each(|url| hits.add(url.into()));
        assert_eq!(hits.take(), [("a".into(), 2), ("b".into(), 1)].into());
        assert!(hits.take().is_empty());
        hits.add("a".into());
        hits.end();
        assert!(hits.take().is_empty() && hits.url_of_late("a").is_none());
    }
}
