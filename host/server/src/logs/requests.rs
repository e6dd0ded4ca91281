//! Which requests are logged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::logs::urls::LogUrls;

/// Which requests are logged. Each setting includes the ones before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogRequests {
    /// None.
    None,
    /// Requests that end in a problem or are abandoned by the client.
    Errors,
    /// All except hits and successful requests to the paths that machines poll (`/healthz`, `/readyz`, `/metrics`, `/stats`).
    #[default]
    Misses,
    /// All requests. Writing a line takes longer than serving a hit.
    All,
}

/// What is logged about requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestLog {
    /// Which requests are logged.
    pub requests: LogRequests,
    /// How much of their URLs is logged.
    pub urls: LogUrls,
}

/// What is logged about requests. It can be changed while the service is running. Clones share it.
#[derive(Clone, Debug)]
pub struct SharedRequestLog {
    requests: Arc<AtomicU8>,
    urls: Arc<AtomicU8>,
}

impl SharedRequestLog {
    /// Sets what is logged from now on.
    pub fn set(&self, log: RequestLog) {
        self.requests.store(log.requests as u8, Relaxed);
        self.urls.store(log.urls as u8, Relaxed);
    }

    /// What is currently logged.
    #[must_use]
    pub fn get(&self) -> RequestLog {
        let choices = [LogRequests::None, LogRequests::Errors, LogRequests::Misses, LogRequests::All];
        let requests = choices.into_iter().find(|choice| *choice as u8 == self.requests.load(Relaxed));
        let urls = [LogUrls::Host, LogUrls::Path, LogUrls::Full].into_iter().find(|urls| *urls as u8 == self.urls.load(Relaxed));
        RequestLog { requests: requests.unwrap_or_default(), urls: urls.unwrap_or_default() }
    }
}

impl From<RequestLog> for SharedRequestLog {
    fn from(log: RequestLog) -> Self {
        Self { requests: Arc::new(AtomicU8::new(log.requests as u8)), urls: Arc::new(AtomicU8::new(log.urls as u8)) }
    }
}

impl Default for SharedRequestLog {
    fn default() -> Self {
        RequestLog::default().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_request_log_returns_the_setting_that_was_last_set() {
        let shared = SharedRequestLog::default();
        assert_eq!(shared.get(), RequestLog::default());
        for requests in [LogRequests::None, LogRequests::Errors, LogRequests::Misses, LogRequests::All] {
            for urls in [LogUrls::Host, LogUrls::Path, LogUrls::Full] {
                let log = RequestLog { requests, urls };
                shared.clone().set(log);
                assert_eq!((shared.get(), SharedRequestLog::from(log).get()), (log, log));
            }
        }
    }

    #[test]
    fn log_requests_settings_are_ordered_from_none_to_all() {
        assert!(LogRequests::None < LogRequests::Errors && LogRequests::Errors < LogRequests::Misses);
        assert!(LogRequests::Misses < LogRequests::All);
    }
}
