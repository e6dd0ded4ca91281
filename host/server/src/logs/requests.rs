//! Which requests are logged.

use crate::logs::urls::LogUrls;

/// Which requests are logged. Each choice includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogRequests {
    /// None.
    None,
    /// Requests that end in a problem or are abandoned by the client.
    Errors,
    /// All but hits, and successful requests to the paths that machines poll (`/healthz`, `/readyz`, `/metrics`, `/stats`).
    #[default]
    Misses,
    /// All. Writing a line takes longer than serving a hit.
    All,
}

/// What is logged of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestLog {
    /// Which requests are logged.
    pub requests: LogRequests,
    /// How much of their URLs is logged.
    pub urls: LogUrls,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_choice_of_requests_includes_the_one_before() {
        assert!(LogRequests::None < LogRequests::Errors && LogRequests::Errors < LogRequests::Misses);
        assert!(LogRequests::Misses < LogRequests::All);
    }
}
