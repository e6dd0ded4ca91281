//! Why an [`HttpDownloader`](crate::http_downloader::HttpDownloader) cannot be created.

use http::header::{HeaderName, InvalidHeaderValue};

/// Why an [`HttpDownloader`](crate::http_downloader::HttpDownloader) cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum HttpSetupError {
    /// The system's certificates, which verify https origins, cannot be used.
    #[error("the system's certificates cannot be used; check that a package such as ca-certificates is installed")]
    Certificates(#[source] rustls::Error),
    /// An option that is sent as a header contains characters that are not allowed in a header.
    #[error("the configured value of the header {0} contains characters that are not allowed in a header")]
    Header(HeaderName, #[source] InvalidHeaderValue),
}
