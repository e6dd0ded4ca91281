//! What is known about media besides its bytes. It is the same everywhere: in a response, the index and a sidecar.

use media_cache_file_names::clean_or_fallback;

use crate::media_type::is_media_type;

/// The type of media of which no type is known.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// The longest validator that is kept, in bytes.
const LONGEST_VALIDATOR: usize = 1024;

/// Who may keep media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cacheability {
    /// Any cache.
    Public,
    /// Caches of a single user, such as a browser, and this one.
    Private,
    /// Nobody. Such media has no sidecar.
    NoStore,
}

/// What is known about media besides its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The media type.
    pub mimetype: String,
    /// A clean file name.
    pub filename: String,
    /// When the media was stored or fetched, in milliseconds since 1970.
    pub stored_at: u64,
    /// Who may keep it.
    pub cacheability: Cacheability,
    /// For how many seconds it is fresh, from when its origin made it.
    pub max_age: Option<u32>,
    /// How many seconds old it was at `stored_at`.
    pub age: u32,
    /// The `ETag` of its origin.
    pub etag: Option<String>,
    /// The `Last-Modified` of its origin.
    pub last_modified: Option<String>,
    /// How long the fetch took, in milliseconds. 0 if unknown.
    pub cost: u32,
}

impl Metadata {
    /// Public media about which nothing else is known. The file name is cleaned, and a text that is no media type is replaced by
    /// `application/octet-stream`: both become headers, whoever wrote them.
    #[must_use]
    pub fn new(mimetype: String, filename: &str, stored_at: u64) -> Self {
        Self {
            mimetype: if is_media_type(&mimetype) { mimetype } else { UNKNOWN_TYPE.to_owned() },
            filename: clean_or_fallback(filename),
            stored_at,
            cacheability: Cacheability::Public,
            max_age: None,
            age: 0,
            etag: None,
            last_modified: None,
            cost: 0,
        }
    }

    /// Whether shared caches must not keep the media.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.cacheability != Cacheability::Public
    }
}

/// Who may keep stored media. Media of Matrix was fetched with credentials, also where an older version did not write that down.
#[must_use]
pub fn stored_cacheability(cache_key: &str, is_private: bool) -> Cacheability {
    let is_matrix = cache_key.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("mxc://"));
    if is_private || is_matrix { Cacheability::Private } else { Cacheability::Public }
}

/// Whether this is a header value that may be stored and sent back: visible ASCII and spaces, and not too many of them.
#[must_use]
pub fn is_validator(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_VALIDATOR && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_media_of_matrix_is_private() {
        for (cache_key, is_private, expected) in [
            ("mxc://example.org/a", false, Cacheability::Private),
            ("https://example.org/a", true, Cacheability::Private),
            ("https://example.org/mxc://a", false, Cacheability::Public),
            ("é", false, Cacheability::Public),
        ] {
            assert_eq!(stored_cacheability(cache_key, is_private), expected, "{cache_key}");
        }
    }

    #[test]
    fn a_file_name_is_cleaned() {
        assert_eq!(Metadata::new(String::new(), "../a.png", 0).filename, "a.png");
        assert_eq!(Metadata::new(String::new(), "..", 0).filename, "media");
    }

    #[test]
    fn a_text_that_is_no_media_type_is_replaced() {
        let mimetype = |text: &str| Metadata::new(text.into(), "a", 0).mimetype;
        assert_eq!(mimetype("text/plain; charset=utf-8"), "text/plain; charset=utf-8");
        for invalid in ["", "png", "image/png\r\nX: y", "image/p\u{202e}ng", &format!("image/{}", "x".repeat(100_000))] {
            assert_eq!(mimetype(invalid), "application/octet-stream", "{invalid:?}");
        }
    }

    #[test]
    fn a_long_file_name_is_truncated() {
        let metadata = Metadata::new("image/png".into(), &("x".repeat(100_000) + ".png"), 0);
        assert!(metadata.filename.len() <= 200 && metadata.filename.ends_with("x.png"), "{}", metadata.filename);
    }

    #[test]
    fn validators_are_short_visible_ascii() {
        assert!(is_validator("W/\"an etag\"") && is_validator(&"e".repeat(1024)));
        for invalid in ["", "a\nb", "a\tb", "café", "\x7f", &"e".repeat(1025)] {
            assert!(!is_validator(invalid), "{invalid:?}");
        }
    }
}
