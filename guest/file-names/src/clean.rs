//! Makes a name safe.

use crate::extension::{MAX_NAME_BYTES, split_extension, trim, truncate, with_extension};

/// The name of media for which no usable name is known.
pub const FALLBACK: &str = "media";

/// Makes a name safe; `None` if nothing remains of it.
///
/// Only the last usable segment of a path is kept, with slashes of either kind as separators. Control characters, invisible characters
/// and those that change the direction of text are removed, and so are dots and white space at both ends. A name over 200 bytes is
/// truncated before its extension.
#[must_use]
pub fn clean_filename(name: &str) -> Option<String> {
    name.rsplit(['/', '\\']).find_map(|segment| {
        let visible: String = segment.chars().filter(|&c| !is_hidden(c)).collect();
        let trimmed = trim(&visible);
        match split_extension(trimmed) {
            _ if trimmed.is_empty() => None,
            (stem, Some(extension)) if trimmed.len() > MAX_NAME_BYTES => Some(with_extension(stem, extension)),
            _ => Some(truncate(trimmed, MAX_NAME_BYTES).to_owned()),
        }
    })
}

/// A clean name: what remains of `name`, or [`FALLBACK`] if nothing does.
#[must_use]
pub fn clean_or_fallback(name: &str) -> String {
    clean_filename(name).unwrap_or_else(|| FALLBACK.to_owned())
}

/// Whether a character is invisible or moves others: `invoice<RLO>gpj.exe` looks like `invoiceexe.jpg`. The joiners U+200C and U+200D
/// are excepted, since some scripts and emoji need them.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_segment_of_a_path_remains() {
        for (name, clean) in [
            ("../../etc/passwd", "passwd"),
            ("/absolute.gif", "absolute.gif"),
            (r"C:\Windows\system32\evil.dll", "evil.dll"),
            (r"..\../up.gif", "up.gif"),
            ("photos/", "photos"),
            ("photos/..", "photos"),
        ] {
            assert_eq!(clean_filename(name).as_deref(), Some(clean), "{name}");
        }
    }

    #[test]
    fn invisible_characters_are_removed() {
        for (name, clean) in [
            ("nul\0.gif\0", "nul.gif"),
            ("line\r\nX-Header: 1.gif", "lineX-Header: 1.gif"),
            ("invoice\u{202e}gpj.exe", "invoicegpj.exe"),
            ("\u{feff}bom.txt", "bom.txt"),
            ("👩\u{200d}🔬.gif", "👩\u{200d}🔬.gif"),
            (" .hidden. ", "hidden"),
        ] {
            assert_eq!(clean_filename(name).as_deref(), Some(clean), "{name:?}");
        }
    }

    #[test]
    fn a_name_of_which_nothing_remains_is_replaced() {
        for name in ["", ".", "...", "../..", "/", "\\", " \t\u{202e}", " ..\u{2066}/.. "] {
            assert_eq!(clean_filename(name), None, "{name:?}");
            assert_eq!(clean_or_fallback(name), "media", "{name:?}");
        }
        assert_eq!(clean_or_fallback("a.png"), "a.png");
    }

    #[test]
    fn a_long_name_is_truncated_between_characters_and_keeps_its_extension() {
        let clean = |name: String| clean_filename(&name).unwrap();
        assert_eq!(clean("a".repeat(400) + ".jpeg"), "a".repeat(195) + ".jpeg");
        assert_eq!(clean("€".repeat(400) + ".gif"), "€".repeat(65) + ".gif");
        assert_eq!(clean("a".repeat(196) + ".gif"), "a".repeat(196) + ".gif");
        assert_eq!(clean("a".repeat(400)), "a".repeat(200));
        assert_eq!(clean("a.".repeat(200) + "€"), ("a.".repeat(100)).trim_end_matches('.'));
        assert_eq!(clean("a".to_owned() + &" .".repeat(300) + "gif"), "a.gif");
    }

    #[test]
    fn cleaning_is_idempotent() {
        let nasty =
            ["..", " . ", "a/", "\\", "\u{202e}.\u{202e}", "x\u{0}", ".a.", "a. ", "é".repeat(300).as_str()].map(str::to_owned);
        for name in nasty.iter().filter_map(|name| clean_filename(name)) {
            assert_eq!(clean_filename(&name).as_ref(), Some(&name));
            assert!(!name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.contains(['/', '\\']), "{name:?}");
        }
    }
}
