//! HTTP requests to the service, and the responses from it.

use bytes::Bytes;
use http::HeaderMap;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::RequestBuilder;
use serde_json::Value;

use crate::certificates::AUTHORITY;
use crate::soon::soon;

/// The administration token of all services in the tests.
pub const ADMIN_TOKEN: &str = "for-the-tests-and-nothing-else";

/// An HTTP client without a proxy that follows no redirects.
#[must_use]
pub fn http_client() -> reqwest::Client {
    client_builder().build().unwrap()
}

/// Like [`http_client`], with a new connection for each request. A client that reuses connections may wait forever on one to a killed
/// service.
#[must_use]
pub fn http_client_without_pool() -> reqwest::Client {
    client_builder().pool_max_idle_per_host(0).build().unwrap()
}

/// A builder of clients that trust the [`certificates`](crate::certificates) of the tests. They use HTTP/2 unless told otherwise.
pub fn https_client() -> reqwest::ClientBuilder {
    client_builder().tls_certs_only([reqwest::Certificate::from_pem(AUTHORITY.as_bytes()).unwrap()])
}

fn client_builder() -> reqwest::ClientBuilder {
    // The client needs a TLS provider even if it encrypts nothing. It is set once per process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none())
}

/// The path at the service for the media of a URL.
#[must_use]
pub fn media_path(url: &str) -> String {
    format!("/media?url={}", utf8_percent_encode(url, NON_ALPHANUMERIC))
}

/// A response from the service.
#[derive(Debug)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// Sends a request and receives the whole response.
pub async fn send(request: RequestBuilder) -> HttpResponse {
    soon(async {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        HttpResponse { status, headers, body: response.bytes().await.unwrap() }
    })
    .await
}

impl HttpResponse {
    /// The value of a header, or an empty string.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts that the response has media and this value of `X-Cache`, such as `hit` or `miss`, and returns the response.
    #[track_caller]
    pub fn is(self, cache: &str) -> Self {
        assert_eq!((self.status, self.header("x-cache")), (200, cache), "{:?}", self.text());
        self
    }

    /// The body as JSON.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    /// Asserts that the response is a problem document with this status, and returns its detail.
    #[track_caller]
    pub fn problem(&self, status: u16) -> String {
        assert_eq!((self.status, self.header("content-type")), (status, "application/problem+json"), "{:?}", self.text());
        assert_eq!(self.header("cache-control"), "no-store", "a problem must not be cached");
        let document = self.json();
        assert_eq!(document["status"], status, "{document}");
        let reason = http::StatusCode::from_u16(status).unwrap().canonical_reason();
        assert_eq!(document["title"].as_str(), reason, "{document}");
        let code = document["code"].as_str().unwrap();
        assert!(!code.is_empty() && code.bytes().all(|c| c == b'-' || c.is_ascii_lowercase()), "{document}");
        document["detail"].as_str().filter(|detail| !detail.is_empty()).unwrap().to_owned()
    }

    /// The machine-readable code of a problem document.
    #[track_caller]
    #[must_use]
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap().to_owned()
    }

    /// The start of the body, for messages.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body[..self.body.len().min(300)]).into_owned()
    }
}
