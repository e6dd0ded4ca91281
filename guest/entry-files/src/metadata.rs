//! The metadata of media. It is the same in a response, the index and a sidecar.

use media_cache_file_names::clean_or_fallback;

use crate::media_type::is_media_type;

/// The media type of media whose type is unknown.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// The maximum length of a stored validator, in bytes.
const LONGEST_VALIDATOR: usize = 1024;

/// Which caches may store media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cacheability {
    /// Any cache.
    Public,
    /// Caches of a single user, such as a browser, and this one.
    Private,
    /// None. Such media has no sidecar.
    NoStore,
}

/// The metadata of media. It is the same in a response, the index and a sidecar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The media type.
    pub mimetype: String,
    /// A clean file name.
    pub filename: String,
    /// When the media was stored or fetched, in milliseconds since 1970.
    pub stored_at: u64,
    /// Which caches may store it.
    pub cacheability: Cacheability,
    /// How many seconds the media remains fresh after its origin generated it.
    pub max_age: Option<u32>,
    /// The age of the media at `stored_at`, in seconds.
    pub age: u32,
    /// The `ETag` from its origin.
    pub etag: Option<String>,
    /// The `Last-Modified` from its origin.
    pub last_modified: Option<String>,
    /// How long the fetch took, in milliseconds. 0 if unknown.
    pub cost: u32,
}

impl Metadata {
    /// Public media without further metadata. The file name is cleaned, and an invalid media type is replaced with
    /// `application/octet-stream`, because both become headers and may come from untrusted sources.
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

    /// Whether shared caches must not store the media.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.cacheability != Cacheability::Public
    }
}

/// Which caches may store the media. Matrix media was fetched with credentials, even if an older version did not record that.
#[must_use]
pub fn stored_cacheability(cache_key: &str, is_private: bool) -> Cacheability {
    let is_matrix = cache_key.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("mxc://"));
    if is_private || is_matrix { Cacheability::Private } else { Cacheability::Public }
}

/// Whether the text is a header value that may be stored and sent back: visible ASCII and spaces, up to a maximum length.
#[must_use]
pub fn is_validator(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_VALIDATOR && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_media_from_matrix_is_private() {
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
    fn an_invalid_media_type_is_replaced_with_octet_stream() {
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
