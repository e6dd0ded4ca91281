//! File extensions: finding and adding them.

/// The maximum length of a name in bytes. Most file systems allow 255, and callers may append to it.
pub(crate) const MAX_NAME_BYTES: usize = 200;

/// The maximum length of a suffix after a dot that counts as an extension, in bytes.
const MAX_EXTENSION_BYTES: usize = 16;

/// Appends an extension, which is given without a dot. The name is truncated if the result would be too long.
pub(crate) fn with_extension(name: &str, extension: &str) -> String {
    format!("{}.{extension}", truncate(name, MAX_NAME_BYTES.saturating_sub(1 + extension.len())))
}

/// Splits a name at the last dot if an extension follows: a few letters and digits, but not only digits (`v1.0`).
pub(crate) fn split_extension(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once('.') {
        Some((stem, extension))
            if !trim(stem).is_empty()
                && extension.len() <= MAX_EXTENSION_BYTES
                && extension.bytes().all(|b| b.is_ascii_alphanumeric())
                && extension.bytes().any(|b| b.is_ascii_alphabetic()) =>
        {
            (stem, Some(extension))
        }
        _ => (name, None),
    }
}

pub(crate) fn trim(name: &str) -> &str {
    name.trim_matches(|c: char| c == '.' || c.is_whitespace())
}

/// Truncates a name to at most `max_bytes`, without splitting a character.
pub(crate) fn truncate(name: &str, max_bytes: usize) -> &str {
    trim(&name[..name.floor_char_boundary(max_bytes)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_has_letters_and_is_short() {
        for name in ["a.png", "clip.MOV", "a.b.mp4", "x.7z"] {
            assert!(split_extension(name).1.is_some(), "{name}");
        }
        for name in ["a", "version 1.0", "Dr. Strange", ".hidden", "a.", "a.averylongextension", ""] {
            assert!(split_extension(name).1.is_none(), "{name}");
        }
    }

    #[test]
    fn an_extension_is_appended_within_the_limit() {
        assert_eq!(with_extension("notes", "txt"), "notes.txt");
        assert_eq!(with_extension(&"b".repeat(200), "png"), "b".repeat(196) + ".png");
        assert_eq!(with_extension("a", &"x".repeat(300)), format!(".{}", "x".repeat(300)), "cleaning truncates it");
    }
}
