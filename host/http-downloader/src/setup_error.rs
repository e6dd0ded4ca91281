//! Why an [`HttpDownloader`](crate::http_downloader::HttpDownloader) cannot be created.

use http::header::{HeaderName, InvalidHeaderValue};

/// Why an [`HttpDownloader`](crate::http_downloader::HttpDownloader) cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum HttpSetupError {
    /// The system's certificates, by which https origins are verified, cannot be used.
    #[error("the system's certificates cannot be used; is a package such as ca-certificates installed?")]
    Certificates(#[source] rustls::Error),
    /// An option has characters that its header cannot carry.
    #[error("what is to be sent as the header {0} cannot be sent")]
    Header(HeaderName, #[source] InvalidHeaderValue),
}
