//! Patterns that decide which media types are accepted.

use std::fmt;
use std::str::FromStr;

use crate::media_type::is_restricted_name;
use crate::registered_types::registered_type;

/// Accepts media types (`image/png`, `image/*`, `*/*`) or, after `!`, excludes them (`!text/html`). Aliases are replaced by registered
/// names: `image/jpg` means `image/jpeg`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypePattern {
    excludes: bool,
    kind: String,
    subtype: String,
}

/// The text is not a [`TypePattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a media type pattern; use the form image/png, image/* or */*, with a leading ! to exclude types")]
pub struct InvalidTypePattern(String);

impl TypePattern {
    /// The default patterns: media and files of every kind except web pages. A page is usually an error message with the status 200.
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        let accepted = ["application", "audio", "font", "image", "model", "text", "video"].map(|kind| (false, kind, "*"));
        let pages = [(true, "text", "html"), (true, "application", "xhtml+xml")];
        let pattern = |(excludes, kind, subtype): (bool, &str, &str)| Self { excludes, kind: kind.into(), subtype: subtype.into() };
        accepted.into_iter().chain(pages).map(pattern).collect()
    }

    fn matches(&self, kind: &str, subtype: &str) -> bool {
        let matches = |pattern: &str, name: &str| pattern == "*" || pattern.eq_ignore_ascii_case(name);
        matches(&self.kind, kind) && matches(&self.subtype, subtype)
    }
}

/// Whether the patterns accept a media type, ignoring its parameters: at least one pattern matches, and none excludes the type. If all
/// patterns are exclusions, they restrict the [defaults](TypePattern::defaults).
#[must_use]
pub fn accepts(patterns: &[TypePattern], mimetype: &str) -> bool {
    if patterns.iter().all(|pattern| pattern.excludes) {
        let restricted: Vec<TypePattern> = TypePattern::defaults().into_iter().chain(patterns.iter().cloned()).collect();
        return matches_any(&restricted, mimetype);
    }
    matches_any(patterns, mimetype)
}

fn matches_any(patterns: &[TypePattern], mimetype: &str) -> bool {
    let essence = mimetype.split(';').next().unwrap_or_default().trim();
    let Some((kind, subtype)) = essence.split_once('/') else { return false };
    let matches = |excludes: bool| patterns.iter().any(|pattern| pattern.excludes == excludes && pattern.matches(kind, subtype));
    matches(false) && !matches(true)
}

impl FromStr for TypePattern {
    type Err = InvalidTypePattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidTypePattern(text.to_owned());
        let (excludes, pattern) = text.strip_prefix('!').map_or((false, text), |pattern| (true, pattern));
        let (kind, subtype) = pattern.split_once('/').ok_or_else(invalid)?;
        let is_valid = |name: &str| name == "*" || is_restricted_name(name);
        if !is_valid(kind) || !is_valid(subtype) || (kind == "*" && subtype != "*") {
            return Err(invalid());
        }
        let pattern = pattern.to_ascii_lowercase();
        let (kind, subtype) = registered_type(&pattern).split_once('/').ok_or_else(invalid)?;
        Ok(Self { excludes, kind: kind.to_owned(), subtype: subtype.to_owned() })
    }
}

impl fmt::Display for TypePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}/{}", if self.excludes { "!" } else { "" }, self.kind, self.subtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(list: &[&str]) -> Vec<TypePattern> {
        list.iter().map(|pattern| pattern.parse().unwrap()).collect()
    }

    #[test]
    fn default_patterns_accept_media_and_files_but_not_web_pages() {
        let defaults = TypePattern::defaults();
        for mimetype in [
            "image/png",
            "image/svg+xml",
            "audio/ogg",
            "video/mp4",
            "font/woff2",
            "model/gltf-binary",
            "application/pdf",
            "application/octet-stream",
            "text/plain; charset=utf-8",
            "text/csv",
        ] {
            assert!(accepts(&defaults, mimetype), "{mimetype}");
        }
        let pages = ["text/html", "TEXT/HTML; charset=utf-8", "application/xhtml+xml"];
        for mimetype in pages.into_iter().chain(["multipart/x-mixed-replace", "message/rfc822", "image", ""]) {
            assert!(!accepts(&defaults, mimetype), "{mimetype}");
        }
        let parsed: Vec<TypePattern> = defaults.iter().map(|pattern| pattern.to_string().parse().unwrap()).collect();
        assert_eq!(parsed, defaults);
    }

    #[test]
    fn type_is_accepted_if_a_pattern_matches_and_none_excludes_it() {
        let images = patterns(&["image/*", "!image/svg+xml", "application/pdf"]);
        for (mimetype, accepted) in
            [("image/png", true), ("IMAGE/PNG", true), ("image/svg+xml", false), ("application/pdf", true), ("text/plain", false)]
        {
            assert_eq!(accepts(&images, mimetype), accepted, "{mimetype}");
        }
        assert!(accepts(&patterns(&["*/*"]), "text/html"));
        assert!(accepts(&patterns(&["image/jpg"]), "image/jpeg"));
    }

    #[test]
    fn exclusions_alone_restrict_the_defaults() {
        for list in [&["!image/svg+xml"][..], &["!image/svg+xml", "!video/*"], &[]] {
            let exclusions = patterns(list);
            assert!(accepts(&exclusions, "image/png"), "{list:?}");
            for page in ["text/html", "application/xhtml+xml", "multipart/form-data"] {
                assert!(!accepts(&exclusions, page), "{list:?}: {page}");
            }
            assert_eq!(accepts(&exclusions, "image/svg+xml"), list.is_empty(), "{list:?}");
        }
    }

    #[test]
    fn invalid_pattern_is_rejected_with_the_valid_forms() {
        for text in ["", "image", "image/", "/png", "*/png", "image/p*", "!!image/png", "image/png;q=1", " image/png", "a/b/c"] {
            assert!(text.parse::<TypePattern>().unwrap_err().to_string().contains("image/*"), "{text:?}");
        }
    }
}
