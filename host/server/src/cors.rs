//! Cross-origin resource sharing (the Fetch standard, section 3.3): which web pages may read media from scripts, for example to draw it on
//! a canvas and read the pixels back.
//!
//! Any page may display media. The operator decides which pages may read it, and they can do so only without credentials.

use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};
use url::Url;

/// How long browsers may cache the response to a preflight. This is the maximum in Chromium.
const PREFLIGHT_LIFETIME: Duration = Duration::from_secs(7200);

/// Response headers that scripts may read, in addition to those that they may always read.
const EXPOSED: [HeaderName; 8] = [
    header::ACCEPT_RANGES,
    header::AGE,
    header::CONTENT_DISPOSITION,
    header::CONTENT_RANGE,
    header::ETAG,
    header::RETRY_AFTER,
    HeaderName::from_static("x-cache"),
    HeaderName::from_static("x-request-id"),
];

/// Request headers that scripts may send, in addition to those that they may always send.
const ACCEPTED: [HeaderName; 8] = [
    header::CACHE_CONTROL,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
    HeaderName::from_static("x-request-id"),
];

/// An origin whose pages may read media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// Pages from any origin.
    Any,
    /// Pages from this origin, written as browsers write it in `Origin`.
    Exact(HeaderValue),
}

/// Why a string is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an origin: {hint}")]
pub struct InvalidOrigin {
    text: String,
    hint: String,
}

impl FromStr for AllowedOrigin {
    type Err = InvalidOrigin;

    /// Parses `*`, or a scheme, a host and optionally a port, such as `https://example.org`.
    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let invalid = |hint: String| InvalidOrigin { text: text.into(), hint };
        if text == "*" {
            return Ok(Self::Any);
        }
        let url = Url::parse(text).ok().filter(|url| !text.contains('*') && url.origin().is_tuple());
        let expected = || invalid("give a scheme and a host, such as https://example.org, or * for all origins".into());
        let origin = url.ok_or_else(expected)?.origin().ascii_serialization();
        if !text.strip_suffix('/').unwrap_or(text).eq_ignore_ascii_case(&origin) {
            return Err(invalid(format!("write it as browsers do: {origin}")));
        }
        HeaderValue::try_from(origin).map(Self::Exact).map_err(|_| expected())
    }
}

/// The origins whose pages may read media. By default there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedOrigins(pub Vec<AllowedOrigin>);

impl AllowedOrigins {
    /// This origin, if it is allowed by name. `None` if it is not, or if all origins are allowed.
    pub(crate) fn distinguished(&self, origin: &[u8]) -> Option<&HeaderValue> {
        let mut exact = self.0.iter().filter(|_| !self.0.contains(&AllowedOrigin::Any)).filter_map(AllowedOrigin::exact);
        exact.find(|allowed| allowed.as_bytes() == origin)
    }

    /// The layer that answers preflights and adds the CORS headers. `None` if no origin is allowed.
    pub(crate) fn layer(&self) -> Option<CorsLayer> {
        if self.0.is_empty() {
            return None;
        }
        let layer = CorsLayer::new()
            .allow_methods([Method::GET, Method::HEAD])
            .allow_headers(ACCEPTED)
            .expose_headers(EXPOSED)
            .max_age(PREFLIGHT_LIFETIME);
        let exact: Option<Vec<HeaderValue>> = self.0.iter().map(|origin| origin.exact().cloned()).collect();
        Some(match exact {
            Some(origins) => layer.allow_origin(AllowOrigin::list(origins)).vary([header::ORIGIN]),
            // The response is the same for all origins, so a shared cache needs only one copy.
            None => layer.allow_origin(Any).vary([]),
        })
    }
}

impl AllowedOrigin {
    fn exact(&self) -> Option<&HeaderValue> {
        match self {
            Self::Any => None,
            Self::Exact(origin) => Some(origin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        for (text, origin) in [
            ("https://example.org", "https://example.org"),
            ("HTTPS://Example.org/", "https://example.org"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(text.parse(), Ok(AllowedOrigin::Exact(HeaderValue::from_static(origin))), "{text}");
        }
        assert_eq!("*".parse(), Ok(AllowedOrigin::Any));
    }

    #[test]
    fn text_that_no_browser_sends_is_not_an_origin() {
        for (text, hint) in [
            ("", "give a scheme"),
            ("null", "give a scheme"),
            ("example.org", "give a scheme"),
            ("*.example.org", "give a scheme"),
            ("https://*.example.org", "give a scheme"),
            ("file:///", "give a scheme"),
            ("data:text/html,x", "give a scheme"),
            ("https://example.org/path", "as browsers do: https://example.org"),
            ("https://me@example.org", "as browsers do: https://example.org"),
            ("https://example.org:443", "as browsers do: https://example.org"),
            ("https://exämple.org", "as browsers do: https://xn--exmple-cua.org"),
        ] {
            let error = text.parse::<AllowedOrigin>().unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        }
    }
}
