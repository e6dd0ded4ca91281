//! Which types of media are taken.

use std::fmt;
use std::str::FromStr;

/// Types of media that are taken, or are not: `image/png`, `image/*`, `*/*`; or with `!` before it, as in `!text/html`, those that are
/// not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypePattern {
    excluded: bool,
    kind: String,
    subtype: String,
}

/// What is wrong with a [`TypePattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no pattern for media types; it takes the form image/png, image/* or */*, with ! before it for what is not taken")]
pub struct InvalidTypePattern(String);

impl TypePattern {
    /// What is taken unless something else is said: media and files of every kind, but no pages. Nobody who asks for media wants the
    /// page on which an origin says that it has none, with a status of 200.
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        let taken = ["application", "audio", "font", "image", "model", "text", "video"].map(|kind| (false, kind, "*"));
        let pages = [(true, "text", "html"), (true, "application", "xhtml+xml")];
        let pattern = |(excluded, kind, subtype): (bool, &str, &str)| Self { excluded, kind: kind.into(), subtype: subtype.into() };
        taken.into_iter().chain(pages).map(pattern).collect()
    }

    fn fits(&self, kind: &str, subtype: &str) -> bool {
        let same = |pattern: &str, name: &str| pattern == "*" || pattern.eq_ignore_ascii_case(name);
        same(&self.kind, kind) && same(&self.subtype, subtype)
    }
}

/// Whether a media type, whose parameters do not matter, is taken: one of the patterns fits it, or there are only such with `!`, and none
/// of those does.
#[must_use]
pub fn accepts(patterns: &[TypePattern], mimetype: &str) -> bool {
    let essence = mimetype.split(';').next().unwrap_or_default().trim();
    let Some((kind, subtype)) = essence.split_once('/') else { return false };
    let fits = |excluded: bool| patterns.iter().any(|pattern| pattern.excluded == excluded && pattern.fits(kind, subtype));
    let names_none = patterns.iter().all(|pattern| pattern.excluded);
    (names_none || fits(false)) && !fits(true)
}

impl FromStr for TypePattern {
    type Err = InvalidTypePattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidTypePattern(text.to_owned());
        let (excluded, pattern) = text.strip_prefix('!').map_or((false, text), |pattern| (true, pattern));
        let (kind, subtype) = pattern.split_once('/').ok_or_else(invalid)?;
        let is_name = |name: &str| name == "*" || super::sniff::is_name(name);
        if !is_name(kind) || !is_name(subtype) || (kind == "*" && subtype != "*") {
            return Err(invalid());
        }
        Ok(Self { excluded, kind: kind.to_ascii_lowercase(), subtype: subtype.to_ascii_lowercase() })
    }
}

impl fmt::Display for TypePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}/{}", if self.excluded { "!" } else { "" }, self.kind, self.subtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(list: &[&str]) -> Vec<TypePattern> {
        list.iter().map(|pattern| pattern.parse().unwrap()).collect()
    }

    #[test]
    fn media_and_files_are_taken_by_default_and_pages_are_not() {
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
        let read_again: Vec<TypePattern> = defaults.iter().map(|pattern| pattern.to_string().parse().unwrap()).collect();
        assert_eq!(read_again, defaults);
    }

    #[test]
    fn patterns_say_what_is_taken_and_what_is_not() {
        let images = patterns(&["image/*", "!image/svg+xml", "application/pdf"]);
        for (mimetype, taken) in
            [("image/png", true), ("IMAGE/PNG", true), ("image/svg+xml", false), ("application/pdf", true), ("text/plain", false)]
        {
            assert_eq!(accepts(&images, mimetype), taken, "{mimetype}");
        }
        assert!(accepts(&patterns(&["!text/html"]), "image/png") && !accepts(&patterns(&["!text/html"]), "text/html"));
        assert!(accepts(&patterns(&["*/*"]), "text/html") && accepts(&[], "text/html"));
    }

    #[test]
    fn what_is_no_pattern_is_told_apart() {
        for text in ["", "image", "image/", "/png", "*/png", "image/p*", "!!image/png", "image/png;q=1", " image/png", "a/b/c"] {
            assert!(text.parse::<TypePattern>().unwrap_err().to_string().contains("image/*"), "{text:?}");
        }
    }
}
