//! Remembers whether the last use of the disk failed.

/// The failure of the disk, until it works again.
#[derive(Debug, Default)]
pub struct DiskHealth {
    failure: Option<(String, u64)>,
}

impl DiskHealth {
    /// Records a failure at a time in milliseconds since 1970. Of consecutive failures, the latest reason and the earliest time
    /// count.
    pub fn failed(&mut self, reason: String, now: u64) {
        let since = self.failure.as_ref().map_or(now, |(_, since)| *since);
        self.failure = Some((reason, since));
    }

    /// Records that the disk works.
    pub fn succeeded(&mut self) {
        self.failure = None;
    }

    /// What failed and how, and since when, if the disk fails.
    #[must_use]
    pub fn failure(&self) -> Option<(&str, u64)> {
        self.failure.as_ref().map(|(reason, since)| (reason.as_str(), *since))
    }
}
