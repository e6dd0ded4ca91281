//! Who asks the service.

use bytes::Bytes;
use http::{HeaderMap, Method};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::RequestBuilder;
use serde_json::Value;

use crate::process::soon;

/// What gives administration rights in the services of these tests.
pub const ADMIN_TOKEN: &str = "for-the-tests-and-nothing-else";

/// An HTTP client that does no more than it is told.
pub struct Client(reqwest::Client);

impl Client {
    pub fn new() -> Self {
        // Nothing here is encrypted, but the client wants to know how it would be. Whoever came first has said it for all.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self(reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap())
    }

    pub fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.0.request(method, url)
    }
}

/// The path of the service at which the media of a URL is.
pub fn media_of(url: &str) -> String {
    format!("/media?url={}", utf8_percent_encode(url, NON_ALPHANUMERIC))
}

/// The head of a request that puts so many bytes, for who writes it by hand. Its sender waits to be told to go ahead.
pub fn head_of_put(url: &str, length: usize) -> String {
    let path = media_of(url);
    let token = format!("Authorization: Bearer {ADMIN_TOKEN}\r\n");
    format!("PUT {path} HTTP/1.1\r\nHost: x\r\n{token}Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n")
}

/// What the service answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// Sends a request, and receives all of the answer.
    pub async fn to(request: RequestBuilder) -> Self {
        soon(async {
            let response = request.send().await.unwrap();
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Self { status, headers, body: response.bytes().await.unwrap() }
        })
        .await
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The same, if it is the media, found or fetched as `cache` says (`hit` or `miss`).
    #[track_caller]
    pub fn is(self, cache: &str) -> Self {
        assert_eq!((self.status, self.header("x-cache")), (200, cache), "{:?}", self.text());
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    /// What a problem document says, which this has to be, for this status.
    #[track_caller]
    pub fn problem(&self, status: u16) -> String {
        assert_eq!((self.status, self.header("content-type")), (status, "application/problem+json"), "{:?}", self.text());
        assert_eq!(self.header("cache-control"), "no-store", "a problem is not there for good");
        let document = self.json();
        assert_eq!(document["status"], status, "{document}");
        let reason = http::StatusCode::from_u16(status).unwrap().canonical_reason();
        assert_eq!(document["title"].as_str(), reason, "{document}");
        let code = document["code"].as_str().unwrap();
        assert!(!code.is_empty() && code.bytes().all(|c| c == b'-' || c.is_ascii_lowercase()), "{document}");
        document["detail"].as_str().filter(|detail| !detail.is_empty()).unwrap().to_owned()
    }

    /// What kind of problem it is, for programs.
    #[track_caller]
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap().to_owned()
    }

    /// The start of the body, for a person.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body[..self.body.len().min(300)]).into_owned()
    }
}
