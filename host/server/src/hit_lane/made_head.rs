//! Response heads, built once for all hits on an entry that share the same head.

use std::time::SystemTime;

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use bytes::Bytes;
use media_cache::Media;

use crate::caching::{self, Restriction, changing_age};
use crate::security_headers;
use crate::shared_access::AccessVersion;
use crate::version::Version;

/// The head of a response with all of the media, without its last lines.
pub(crate) struct MadeHead {
    pub version: Version,
    pub head: Bytes,
    age: Option<u64>,
    restriction: Option<Restriction>,
    access: u64,
    origin: Option<HeaderValue>,
}

/// What a head depends on, apart from the media.
pub(crate) struct HeadKey<'a> {
    /// The age of the media, if the head contains it.
    age: Option<u64>,
    restriction: Option<Restriction>,
    access: &'a AccessVersion,
    /// The page's origin, if only pages from certain origins may read media and this is one of them.
    origin: Option<&'a HeaderValue>,
}

impl<'a> HeadKey<'a> {
    pub fn new(
        media: &Media,
        now: SystemTime,
        restriction: Option<Restriction>,
        access: &'a AccessVersion,
        origin: Option<&[u8]>,
    ) -> Self {
        let age = changing_age(media.cache_control(), media.stored_at(), now);
        let restriction = restriction.filter(|restriction| restriction.may_matter());
        Self { age, restriction, access, origin: origin.and_then(|origin| access.distinguished(origin)) }
    }

    /// Adds the headers common to all responses to the headers of the media, and encodes the head.
    pub fn finish(&self, status: StatusCode, mut headers: HeaderMap) -> Option<Bytes> {
        caching::restrict(&mut headers, self.restriction);
        let mut headers = self.access.add_cors(self.origin, headers)?;
        security_headers::add_to(&mut headers);
        let mut head = Vec::with_capacity(1024);
        let reason = status.canonical_reason().unwrap_or_default();
        for part in ["HTTP/1.1 ", status.as_str(), " ", reason, "\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
        for (name, value) in &headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                head.extend_from_slice(part);
            }
        }
        Some(head.into())
    }
}

impl MadeHead {
    pub fn new(version: Version, key: &HeadKey<'_>, head: Bytes) -> Self {
        let HeadKey { age, restriction, access, origin } = key;
        Self { version, head, age: *age, restriction: *restriction, access: access.number, origin: origin.cloned() }
    }

    /// Whether it is the head for this key.
    pub fn is_for(&self, key: &HeadKey<'_>) -> bool {
        let HeadKey { age, restriction, access, origin } = key;
        (self.age, self.restriction, self.access) == (*age, *restriction, access.number) && self.origin.as_ref() == *origin
    }
}
